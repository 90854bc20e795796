package netget

import (
	"context"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
)

// A Status is how a node stands: its certificate, its registries, its
// registration.
type Status struct {
	Identity     IdentityStatus   `json:"identity"`
	NID          identity.Hash    `json:"nid"`
	Registries   []RegistryStatus `json:"registries"`
	Registration *ServiceNode     `json:"registration"` // as the registries list it; nil: not at all
	// Problems of the node itself: identity-shared, removed-by-operator, files
	// that cannot be written.
	Problems []string `json:"problems"`
}

// An IdentityStatus is the state of a certificate.
type IdentityStatus struct {
	ID        identity.NodeID `json:"id"`
	Network   string          `json:"network"`
	Type      string          `json:"type"`
	Dir       string          `json:"dir"`
	NotBefore time.Time       `json:"not_before"`
	NotAfter  time.Time       `json:"not_after"`
	RenewAt   time.Time       `json:"renew_at"`
	State     string          `json:"state"` // valid, renewal-due, expired or revoked
}

// A RegistryStatus is how one address was found.
type RegistryStatus struct {
	URL           string          `json:"url"`
	Reachable     bool            `json:"reachable"`
	ID            identity.NodeID `json:"id"` // zero when not reached
	Version       int64           `json:"version"`
	ClockOffsetMS int64           `json:"clock_offset_ms"` // its clock minus ours, to the second
	Code          identity.Code   `json:"code"`            // "" when reached
	Message       string          `json:"message"`
}

// Status asks all registries how they are and what they hold of this node. An
// unreachable registry is no error: the result says so.
func (n *Node) Status(ctx context.Context) (Status, error) {
	s, err := n.open()
	if err != nil {
		return Status{}, err
	}
	i := s.source.Identity()
	out := Status{Identity: s.identityStatus(i), NID: i.Bundle.NID(), Registries: []RegistryStatus{}, Problems: s.problems()}
	answered, errs, _ := s.client.Heads(ctx) // the errors stand in errs, one an address
	for _, a := range answered {
		r := RegistryStatus{URL: a.URL, Reachable: true, ID: a.Registry, Version: a.Head.Version}
		if !a.Date.IsZero() {
			r.ClockOffsetMS = a.Date.Sub(s.opts.Now().Truncate(time.Second)).Milliseconds()
		}
		out.Registries = append(out.Registries, r)
	}
	for _, e := range errs {
		out.Registries = append(out.Registries, RegistryStatus{URL: e.URL, Code: codeOf(e.Err), Message: e.Err.Error()})
	}
	if t := i.ID().Type(); len(answered) > 0 && (t == identity.ServiceNode || t == identity.RegistryNode) {
		if found, err := s.client.Node(ctx, i.ID()); err == nil && len(found.Nodes) > 0 {
			node := NewServiceNode(found.Nodes[0])
			out.Registration = &node
		}
	}
	return out, nil
}

func (s *session) identityStatus(i *identity.Identity) IdentityStatus {
	leaf := i.Credential.Leaf()
	st := IdentityStatus{
		ID: i.ID(), Network: i.Document.Network, Type: i.ID().Type().String(), Dir: s.opts.Identity,
		NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(), RenewAt: enroll.RenewAt(i).UTC(), State: "valid",
	}
	now := s.opts.Now()
	if now.After(st.RenewAt) {
		st.State = "renewal-due"
	}
	cert, err := i.Bundle.Verify(leaf, i.Credential.Issuer(), identity.ClientUse)
	switch {
	case err == nil && i.Bundle.CheckRevoked(cert) != nil:
		st.State = "revoked"
	case now.After(leaf.NotAfter):
		st.State = "expired"
	}
	return st
}

// problems lists what is wrong with the node itself.
func (s *session) problems() []string {
	out := []string{}
	if err := s.source.Volatile(); err != nil {
		out = append(out, "the renewed certificate lives in memory only: "+err.Error())
	}
	if err := s.marks.Volatile(); err != nil {
		out = append(out, "marks live in memory only: "+err.Error())
	}
	if err := s.renewer.Status().LastError; err != nil {
		out = append(out, "the certificate was not renewed: "+err.Error())
	}
	if r := s.registered(); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.removed {
			out = append(out, ErrRemoved.Error())
		}
		if r.shared {
			out = append(out, "identity-shared")
		}
		if r.volatile != nil {
			out = append(out, "the node's place in its order lives in memory only: "+r.volatile.Error())
		}
	}
	return out
}
