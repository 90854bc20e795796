package probe

import (
	"net/netip"

	"github.com/neurons-me/netget/identity"
)

// A Target is what a probe contacts, and how.
type Target struct {
	Node     identity.NodeID
	Endpoint identity.Endpoint
	Check    identity.Check
	From     netip.Addr // the address from which the node last connected; zero: not known
}

// A RefusedError says that policy forbids to contact a target.
type RefusedError struct{ Reason string }

// Error says why.
func (e *RefusedError) Error() string { return e.Reason }
