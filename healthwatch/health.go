package healthwatch

import (
	"fmt"
	"time"
)

// A Health is what is known of one node, from its heartbeats and from probes. All
// moments are of one clock that only goes forward. It is a plain value: the
// methods that take Rules are the whole of the judgement.
type Health struct {
	interval      time.Duration // of the heartbeats; 0: none are expected
	beats, probes side
	last          time.Duration // when the newest heartbeat came
	status        Status
	upSince       time.Duration
	turns         int    // how often it left up lately
	proof         bool   // probes prove the node's identity
	unproven      bool   // no probe has succeeded, and one must: the first brings it up
	recalled      bool   // what probes said is from before a start: the first good one is enough
	failure       string // of the newest probe, "" if it succeeded
}

// A side is one of the two ways in which a node shows that it lives.
type side struct {
	status    Status
	good, bad int // in a row
}

// Signs are how a node shows that it lives.
type Signs struct {
	Interval time.Duration // of its heartbeats; 0: none are expected
	Probed   bool
	// Proof: probes prove the node's identity. It is down until one has succeeded.
	Proof bool
}

// NewHealth returns the health of a node that has just shown itself at now,
// where it is listed as before.
func NewHealth(s Signs, before Status, now time.Duration) Health {
	h := Health{interval: s.Interval, status: before, last: now, upSince: now, beats: side{status: before}, probes: side{status: Up}}
	if s.Probed {
		h.probes.status, h.recalled = before, before != Up
	}
	if before != Up {
		h.turns = 1
	}
	h.proof, h.unproven = s.Proof, s.Proof && before == Down // whether it ever was proven is not known
	return h
}

// Resign goes on with another record of the node. fresh says that the node
// itself wants another endpoint to be probed, or in another way: what was found
// before is void.
func (h *Health) Resign(r Rules, s Signs, fresh bool, now time.Duration) (changed bool) {
	h.interval, h.proof = s.Interval, s.Proof
	switch {
	case !s.Probed:
		h.probes, h.failure, h.unproven, h.recalled = side{status: Up}, "", false, false
	case fresh:
		h.probes, h.failure, h.unproven, h.recalled = side{status: Up}, "", s.Proof, false
		if s.Proof {
			h.probes.status = Down
		}
	}
	return h.settle(r, now)
}

// Lateness returns by how much a heartbeat that comes at now is later after the
// last than it should be; 0: not at all.
func (h *Health) Lateness(now time.Duration) time.Duration { return max(0, now-h.last-h.interval) }

// Status returns what the node is: the worse of what its heartbeats and its
// probes say.
func (h *Health) Status() Status { return h.status }

// Disputed reports whether heartbeats and probes contradict each other.
func (h *Health) Disputed() bool {
	probesFail, probesWork := h.probes.bad > 0 && h.probes.status != Up, h.probes.good > 0 && h.probes.status == Up
	return h.beats.status == Up && probesFail || h.beats.status != Up && probesWork
}

// OwesProbe reports whether the node is judged by a probe that was not made yet:
// by what is not proven, or is from before a start.
func (h *Health) OwesProbe() bool { return h.unproven || h.recalled }

// Falling reports whether the node is suspect with nothing good since: it goes
// down if that goes on.
func (h *Health) Falling() bool {
	return h.status == Suspect && (h.beats.status == Suspect && h.beats.good == 0 || h.probes.bad > 0)
}

// Beat takes a heartbeat that came at now.
func (h *Health) Beat(r Rules, now time.Duration) (changed bool) {
	h.last = now
	h.beats.succeed(h.need(r))
	return h.settle(r, now)
}

// Pass lets time go on to now.
func (h *Health) Pass(r Rules, now time.Duration) (changed bool) {
	switch silent := now - h.last; {
	case h.interval == 0:
	case silent >= h.downAfter(r):
		h.beats.fail(Down)
	case silent >= h.lateAfter(r):
		h.beats.fail(Suspect)
	}
	return h.settle(r, now)
}

// Next returns the moment at which time alone changes something next; ok is
// false if there is none.
func (h *Health) Next(r Rules) (at time.Duration, ok bool) {
	switch {
	case h.interval == 0 || h.beats.status == Down && h.beats.good == 0:
		return 0, false
	case h.beats.status == Up || h.beats.good > 0:
		return h.last + h.lateAfter(r), true
	default:
		return h.last + h.downAfter(r), true
	}
}

// Probe takes the result of a probe that ended at now; failure is "" for a good
// one.
func (h *Health) Probe(r Rules, failure string, now time.Duration) (changed bool) {
	first := h.OwesProbe()
	h.failure, h.recalled = failure, false
	switch {
	case failure == "" && first:
		h.unproven, h.probes = false, side{status: Up, good: 1}
	case failure == "":
		h.probes.succeed(h.need(r))
	case h.probes.bad+1 >= r.Failed:
		h.probes.fail(Down)
	default:
		h.probes.fail(Suspect)
	}
	return h.settle(r, now)
}

// Refuse notes that the node cannot be probed, and why: no verdict. What probes
// said before is forgotten, but where they prove the node's identity.
func (h *Health) Refuse(r Rules, why string, now time.Duration) (changed bool) {
	h.failure = why
	if !h.proof {
		h.probes, h.recalled = side{status: Up}, false
	}
	return h.settle(r, now)
}

// Excuse forgets how long nothing was heard, up to now.
func (h *Health) Excuse(now time.Duration) { h.last = max(h.last, now) }

// Spare makes a node that is down merely suspect: nobody was told that it is
// down, and it has just shown itself. One more failure turns it down again.
func (h *Health) Spare() {
	h.beats.status = min(h.beats.status, Suspect)
	h.probes.status = min(h.probes.status, Suspect)
}

func (h *Health) lateAfter(r Rules) time.Duration { return 2*h.interval + r.Slack }

func (h *Health) downAfter(r Rules) time.Duration {
	return time.Duration(r.Missed)*h.interval + r.Slack
}

// need is how many good signs in a row bring the node up.
func (h *Health) need(r Rules) int { return r.Good << max(0, h.turns-1) }

// succeed takes a good sign.
func (s *side) succeed(need int) {
	s.good++
	s.bad = 0
	if s.good >= need {
		s.status = Up
	}
}

// fail takes a bad sign by which the side is at least so bad.
func (s *side) fail(at Status) {
	s.good = 0
	s.bad++
	s.status = max(s.status, at)
}

// settle draws the conclusion, and reports whether the node's status has changed.
func (h *Health) settle(r Rules, now time.Duration) (changed bool) {
	before := h.status
	h.status = max(h.beats.status, h.probes.status)
	switch {
	case before == h.status:
		return false
	case h.status == Up:
		h.upSince = now
	case before == Up:
		if now-h.upSince >= r.Calm {
			h.turns = 0
		}
		h.turns = min(h.turns+1, mostTurns)
	}
	return true
}

// Reason is why the node is what it is.
func (h *Health) Reason() Reason {
	switch {
	case h.status == Up:
		return Recovered
	case h.probes.status >= h.beats.status && h.unproven:
		return Unproven
	case h.probes.status >= h.beats.status:
		return ProbeFailed
	case h.beats.status == Down:
		return HeartbeatMissing
	default:
		return HeartbeatLate
	}
}

// Evidence says for people what the judgement rests on at now.
func (h *Health) Evidence(now time.Duration) string {
	switch {
	case h.unproven && h.failure == "":
		return "no probe has succeeded yet"
	case h.unproven && h.probes.bad == 0: // policy forbids it
		return h.failure
	case h.probes.status != Up && h.failure != "" && h.probes.status >= h.beats.status:
		return fmt.Sprintf("probes failed: %d, the last with: %s", h.probes.bad, h.failure)
	case h.beats.status != Up:
		return fmt.Sprintf("no heartbeat for %s", (now - h.last).Round(100*time.Millisecond))
	default:
		return "heartbeats and probes are good"
	}
}
