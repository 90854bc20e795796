package healthwatch

import "github.com/neurons-me/netget/identity"

// Why returns why a node is not up, and whether its heartbeats and its probes
// contradict each other; "" where nothing is known of it, or it is up but for the
// version that will say so.
func (w *Watch) Why(id identity.NodeID) (why Reason, disputed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	if n == nil {
		return "", false
	}
	if why = n.why; why == Recovered {
		why = ""
	}
	return why, n.health.Disputed()
}
