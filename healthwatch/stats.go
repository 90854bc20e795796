package healthwatch

import "time"

// Stats are a watch's numbers.
type Stats struct {
	// These only grow.
	Beats                      int64           // heartbeats
	Lateness                   Lateness        // of them
	Succeeded, Failed, Refused int64           // probes
	OwnFaults                  int64           // probes that failed for a fault of this machine: no verdict
	Panics                     int64           // probes that met a bug of ours
	Brakes                     int64           // how often downs were held back
	Absences                   int64           // how often this process was not there for 5 s or more
	Changes                    [Down + 1]int64 // proposed, by the new status
	Lost                       time.Duration   // what this process was stopped or starved

	// These are of now.
	Nodes    [Down + 1]int64 // by status
	Disputed int64
	Held     int64 // nodes that the brake keeps from turning down
	Probing  int64 // probes under way
	Queued   int64 // probes that wait for one to end
	Braked   bool
}

// LatenessBounds are those of a [Lateness].
func LatenessBounds() [8]time.Duration {
	return [...]time.Duration{
		100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
		5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
	}
}

// A Lateness counts heartbeats by how much later after the last they came than
// their interval.
type Lateness struct {
	UpTo [8]int64 // each of [LatenessBounds], more than the one before
	Sum  time.Duration
}

func (l *Lateness) add(late time.Duration) {
	l.Sum += late
	for i, bound := range LatenessBounds() {
		if late <= bound {
			l.UpTo[i]++
			return
		}
	}
}

// Panics returns how many bugs probes have met.
func (w *Watch) Panics() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats.Panics
}

// Stats returns the numbers of now.
func (w *Watch) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	for _, n := range w.nodes {
		status := n.health.Status()
		if w.isHeld(n) {
			status = n.shown
		}
		s.Nodes[status]++
		if n.health.Disputed() {
			s.Disputed++
		}
	}
	s.Held, s.Probing, s.Queued, s.Braked = int64(len(w.held)), int64(w.probes), int64(len(w.queue)), w.brake.on
	return s
}
