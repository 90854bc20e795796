package netget

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A ServiceNode is a verified node of a service.
type ServiceNode struct {
	ID        identity.NodeID   `json:"id"`
	Service   string            `json:"service"`
	Node      string            `json:"node"`
	Active    bool              `json:"active"` // may be used now
	Status    discovery.Status  `json:"status"` // up, suspect or down, as the registries see it
	Live      bool              `json:"live"`   // the node itself proved lately that it lives
	State     identity.State    `json:"state"`  // active or draining, as the node wishes
	Since     time.Time         `json:"since"`  // of the status
	Epoch     int64             `json:"epoch"`
	Sequence  int64             `json:"sequence"`
	RID       identity.Hash     `json:"rid"`
	IssuedAt  time.Time         `json:"issued_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	Endpoints []Endpoint        `json:"endpoints"`
	Metadata  map[string]string `json:"metadata"`
	Disputed  bool              `json:"disputed"` // up, say the registries, but not live; or they say so
	// Reason is why it is not active, "" when it is: draining, down, disputed or
	// not-live, and where the status is not up, in brackets, since when, with the
	// registry's word for it, as in "down (since 2026-11-22T17:00:00Z:
	// heartbeat-missing)". Nothing proves that word.
	Reason string `json:"reason"`
	// Cause is the registry's word for why the status is not up, "" where it gave
	// none, also of a suspect node that is active.
	Cause string `json:"cause"`
}

// A Discovery is all that the registries verifiably say of a service.
type Discovery struct {
	Service    string            `json:"service"`
	Network    string            `json:"network"`
	NID        identity.Hash     `json:"nid"`
	Found      bool              `json:"found"` // false: there verifiably is no such service
	Registries []RegistryAnswer  `json:"registries"`
	Nodes      []ServiceNode     `json:"nodes"`    // sorted by identity
	LeftOut    []LeftOut         `json:"left_out"` // listed, but not to be used at all
	Errors     []RegistryProblem `json:"errors"`
	Stale      bool              `json:"stale"` // no registry answered; this is the last answer

	answers [][]byte
}

// A RegistryAnswer is a registry that answered, with the head it answered under.
type RegistryAnswer struct {
	URL     string          `json:"url"`
	ID      identity.NodeID `json:"id"`
	Version int64           `json:"version"`
	HeadIAT time.Time       `json:"head_iat"`
	HeadExp time.Time       `json:"head_exp"`
}

// A LeftOut is a record that a registry lists and a client must not use.
type LeftOut struct {
	ID   identity.NodeID `json:"id"`
	Code identity.Code   `json:"code"` // time, revoked, rollback or equivocation
}

// Answer returns one registry's answer as it was sent, for others to verify;
// nil unless [Options].KeepAnswers.
func (d *Discovery) Answer() []byte {
	if len(d.answers) == 0 {
		return nil
	}
	return d.answers[0]
}

// Active returns the nodes that may be used, those first that no registry
// suspects.
func (d *Discovery) Active() []ServiceNode {
	nodes := slices.DeleteFunc(slices.Clone(d.Nodes), func(n ServiceNode) bool { return !n.Active })
	slices.SortStableFunc(nodes, func(a, b ServiceNode) int { return int(a.Status) - int(b.Status) })
	return nodes
}

// DiscoverServiceNode returns one active node of a service, chosen at random
// by their weights among those that no registry suspects. [ErrNotFound] says
// that there verifiably is none; any other error, that nothing could be
// verified.
func (n *Node) DiscoverServiceNode(ctx context.Context, service string) (ServiceNode, error) {
	nodes, err := n.DiscoverServiceNodes(ctx, service)
	if err != nil {
		return ServiceNode{}, err
	}
	return choose(nodes), nil
}

// DiscoverServiceNodes returns all active nodes of a service, those first that
// no registry suspects. [ErrNotFound] says that there verifiably is none.
func (n *Node) DiscoverServiceNodes(ctx context.Context, service string) ([]ServiceNode, error) {
	d, err := n.Discover(ctx, service)
	if err != nil {
		return nil, err
	}
	nodes := d.Active()
	if len(nodes) == 0 && d.Found {
		return nil, fmt.Errorf("none of the %d nodes of %q is active: %w", len(d.Nodes)+len(d.LeftOut), d.Service, ErrNotFound)
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("there is no service %q in %s: %w", d.Service, d.Network, ErrNotFound)
	}
	return nodes, nil
}

// Discover asks the registries for a service, in any ASCII case, and returns
// all that was verified. An error means that no registry, or fewer than
// MinRegistries, gave an answer that could be verified; the result then only
// tells why.
func (n *Node) Discover(ctx context.Context, service string) (*Discovery, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.client.Discover(ctx, identity.FoldName(service))
	return s.newDiscovery(found), err
}

// LookupNode asks the registries for one node of a service.
func (n *Node) LookupNode(ctx context.Context, service, node string) (*Discovery, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return nil, err
	}
	id, err := s.nodeID(service, node)
	if err != nil {
		return nil, err
	}
	found, err := s.client.Node(ctx, id)
	return s.newDiscovery(found), absent(id, err)
}

// nodeID names a node of the network, in any ASCII case.
func (s *session) nodeID(service, node string) (identity.NodeID, error) {
	return identity.NewNodeID(s.source.Identity().ID().TrustDomain(), identity.FoldName(service), identity.FoldName(node))
}

// absent adds [ErrNotFound] where err is the verified absence of the node.
func absent(id identity.NodeID, err error) error {
	if isAbsent(err) {
		return fmt.Errorf("%s: %w (%w)", id, ErrNotFound, err)
	}
	return err
}

// isAbsent reports whether err is the verified absence of a node, found by us;
// a registry's word for it is only a hint.
func isAbsent(err error) bool {
	refusal, ok := errors.AsType[*identity.Error](err)
	return ok && refusal.Code == identity.NotFound
}

func (s *session) newDiscovery(f *discovery.Found) *Discovery {
	if f == nil {
		return nil
	}
	b := s.source.Identity().Bundle
	d := &Discovery{
		Service: f.Service, Network: b.TrustDomain().Network(), NID: b.NID(), Found: f.Found, Stale: f.Stale,
		Registries: []RegistryAnswer{}, Nodes: []ServiceNode{}, LeftOut: []LeftOut{}, Errors: []RegistryProblem{},
	}
	for _, a := range f.Registries {
		d.Registries = append(d.Registries, newRegistryAnswer(a))
		if a.Document != nil {
			d.answers = append(d.answers, a.Document)
		}
	}
	for _, n := range f.Nodes {
		d.Nodes = append(d.Nodes, NewServiceNode(n))
	}
	for _, l := range f.LeftOut {
		d.LeftOut = append(d.LeftOut, LeftOut{l.ID, l.Code})
	}
	for _, e := range f.Errors {
		d.Errors = append(d.Errors, problem(e.URL, e.Err))
	}
	return d
}

func newRegistryAnswer(a discovery.Answered) RegistryAnswer {
	return RegistryAnswer{a.URL, a.Registry, a.Head.Version, time.Unix(a.Head.IAT, 0).UTC(), time.Unix(a.Head.Exp, 0).UTC()}
}

// NewServiceNode returns the public form of a node that [discovery] verified.
func NewServiceNode(n discovery.Node) ServiceNode {
	r := n.Record
	out := ServiceNode{
		ID: r.Node, Service: r.Service, Node: r.Node.Label(), Active: n.Active(), Status: n.Status, Live: n.Live, State: r.State,
		Since: time.Unix(n.Since, 0).UTC(), Epoch: r.Epoch, Sequence: r.Sequence, RID: n.RID,
		IssuedAt: time.Unix(r.IAT, 0).UTC(), ExpiresAt: time.Unix(r.Exp, 0).UTC(),
		Endpoints: []Endpoint{}, Metadata: maps.Clone(r.Metadata), Disputed: n.Disputed, Reason: reason(n), Cause: n.Cause,
	}
	for _, e := range r.Endpoints {
		out.Endpoints = append(out.Endpoints, Endpoint{Name: e.Name, Address: e.Address, Port: int(e.Port), Protocol: e.Protocol})
	}
	return out
}

// reason says why a node is not active, see [ServiceNode].
func reason(n discovery.Node) string {
	word := n.Reason()
	if word == "" || n.Status == discovery.Up {
		return word
	}
	text := "since " + time.Unix(n.Since, 0).UTC().Format(time.RFC3339)
	if n.Status.String() != word {
		text = n.Status.String() + " " + text
	}
	if n.Cause != "" {
		text += ": " + n.Cause
	}
	return word + " (" + text + ")"
}

// choose picks one of the nodes with the best status, by weight.
func choose(nodes []ServiceNode) ServiceNode {
	total := 0
	best := nodes[:0:0]
	for _, n := range nodes {
		if n.Status == nodes[0].Status {
			best = append(best, n)
			total += n.weight()
		}
	}
	pick := int(randomBelow(time.Duration(total)))
	for _, n := range best {
		if pick -= n.weight(); pick < 0 {
			return n
		}
	}
	return best[0]
}

// weight is the node's share of use, 1 to 1000; 1 where it says nothing sound.
func (n ServiceNode) weight() int {
	const most = 1000
	if w, err := strconv.Atoi(n.Metadata["weight"]); err == nil && w >= 1 && w <= most {
		return w
	}
	return 1
}

// A ServiceCount is how many records a service has.
type ServiceCount struct {
	Service string `json:"service"`
	Records int64  `json:"records"`
}

// A NetworkServices is the verified list of a network's services: per service
// the most records that a registry lists.
type NetworkServices struct {
	Network    string            `json:"network"`
	NID        identity.Hash     `json:"nid"`
	Registries []RegistryAnswer  `json:"registries"`
	Services   []ServiceCount    `json:"services"` // sorted
	Errors     []RegistryProblem `json:"errors"`
}

// Services asks the registries for all services of the network.
func (n *Node) Services(ctx context.Context) (*NetworkServices, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return nil, err
	}
	lists, errs, err := s.client.Services(ctx)
	b := s.source.Identity().Bundle
	out := &NetworkServices{
		Network: b.TrustDomain().Network(), NID: b.NID(),
		Registries: []RegistryAnswer{}, Services: []ServiceCount{}, Errors: []RegistryProblem{},
	}
	counts := map[string]int64{}
	for _, list := range lists {
		out.Registries = append(out.Registries, newRegistryAnswer(list.Answered))
		for _, sum := range list.Sums {
			counts[sum.Service] = max(counts[sum.Service], sum.Count)
		}
	}
	for service, count := range counts {
		out.Services = append(out.Services, ServiceCount{service, count})
	}
	slices.SortFunc(out.Services, func(a, b ServiceCount) int { return strings.Compare(a.Service, b.Service) })
	for _, e := range errs {
		out.Errors = append(out.Errors, problem(e.URL, e.Err))
	}
	return out, err
}

// TLSServer returns a configuration with which the node serves its own
// service: its certificate, renewed under the running server, and callers of
// the same network only.
func (n *Node) TLSServer() (*tls.Config, error) {
	s, err := n.open()
	if err != nil {
		return nil, err
	}
	return identity.ServerTLS(func(string) *identity.Tenant {
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return s.source.Identity().Credential.TLS() },
			Verify: func(state tls.ConnectionState) error {
				_, err := identity.VerifyPeer(state, s.source.Identity().Bundle, identity.ClientUse, s.opts.Now())
				return err
			},
		}
	}), nil
}
