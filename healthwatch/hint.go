package healthwatch

import "github.com/neurons-me/netget/identity"

// Why returns why a node is not up, and whether its heartbeats and its probes
// contradict each other; "" where nothing is known of it.
func (w *Watch) Why(id identity.NodeID) (why Reason, disputed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	if n == nil {
		return "", false
	}
	return n.why, n.health.Disputed()
}
