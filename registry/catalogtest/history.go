package catalogtest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// Start is made of the first version, Unix seconds.
const Start = 1_700_000_000

// A History makes the batches of a network, one version after the other, and
// remembers what a store that took them must hold. The bytes look like signed
// statements to a store only.
type History struct {
	Network  identity.TrustDomain
	Versions []catalog.Version
	Log      translog.Log
	Rows     []translog.Row
	Objects  map[identity.Hash]catalog.Object
	Nodes    map[identity.NodeID]catalog.NodeRow
	Beats    map[identity.NodeID]catalog.BeatRow
	Events   []catalog.EventRow // by rising ID
}

// NewHistory returns an empty history.
func NewHistory(network identity.TrustDomain) *History {
	return &History{
		Network: network,
		Objects: make(map[identity.Hash]catalog.Object),
		Nodes:   make(map[identity.NodeID]catalog.NodeRow),
		Beats:   make(map[identity.NodeID]catalog.BeatRow),
	}
}

// Next returns the batch that makes the next version with states of nodes. It
// is not part of the history before [History.Apply].
func (h *History) Next(rows ...catalog.NodeRow) catalog.Batch {
	version := int64(len(h.Versions)) + 1
	var b catalog.Batch
	b.Version = catalog.Version{
		Version: version,
		Made:    Start + version,
		Leaf:    odd("leaf", version, 700),
		Changes: odd("changes", version, 2+100*len(rows)),
	}
	_, b.LogRows = h.Log.Append(b.Leaf)
	for _, row := range rows {
		row.Applied = version
		b.Nodes = append(b.Nodes, row)
		b.Objects = append(b.Objects, h.object(row.Node, row.State, b.Made))
		for _, rid := range []identity.Hash{row.Hidden, row.Evidence} {
			if !rid.IsZero() {
				b.Objects = append(b.Objects, h.object(row.Node, rid, b.Made))
			}
		}
	}
	return b
}

// object returns the known object of that name, or makes it.
func (h *History) object(node identity.NodeID, rid identity.Hash, accepted int64) catalog.Object {
	if known, ok := h.Objects[rid]; ok {
		return known
	}
	return catalog.Object{
		RID: rid, Node: node, Token: string(odd("token"+rid.String(), 0, 900)),
		Leaf: odd("certificate of "+node.String(), 0, 600), Issuer: odd("issuer", 0, 500), AcceptedAt: accepted,
	}
}

// Apply makes b part of the history.
func (h *History) Apply(b catalog.Batch) {
	h.Versions = append(h.Versions, b.Version)
	log, rows := h.Log.Append(b.Leaf)
	h.Log, h.Rows = log, append(h.Rows, rows...)
	h.Keep(b.Objects, b.Nodes)
	h.Events = append(h.Events, b.Events...)
}

// Keep makes objects and node rows part of the history.
func (h *History) Keep(objects []catalog.Object, nodes []catalog.NodeRow) {
	for _, o := range objects {
		if _, ok := h.Objects[o.RID]; !ok {
			h.Objects[o.RID] = o
		}
	}
	for _, n := range nodes {
		h.Nodes[n.Node] = n
	}
}

// Commit commits the next version with states of nodes to s.
func (h *History) Commit(t *testing.T, s catalog.Store, rows ...catalog.NodeRow) {
	t.Helper()
	b := h.Next(rows...)
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatalf("Commit of version %d: %v", b.Version.Version, err)
	}
	h.Apply(b)
}

// Loaded returns what Load must return, sorted by key.
func (h *History) Loaded() catalog.Loaded {
	all := catalog.Loaded{LogRows: h.Rows}
	if n := len(h.Versions); n > 0 {
		all.Version = h.Versions[n-1].Version
	}
	needed := make(map[identity.Hash]bool)
	for _, n := range h.Nodes {
		needed[n.State], needed[n.Hidden], needed[n.Evidence] = true, true, true
		all.Nodes = append(all.Nodes, n)
	}
	for rid, o := range h.Objects {
		if needed[rid] {
			all.Objects = append(all.Objects, o)
		}
	}
	all.Beats = slices.Collect(maps.Values(h.Beats))
	sortLoaded(all)
	return all
}

// Node returns the identity of the i-th node.
func (h *History) Node(tb testing.TB, i int) identity.NodeID {
	tb.Helper()
	id, err := identity.NewNodeID(h.Network, "databaseservice", fmt.Sprintf("node-%d", i))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// Row returns a listed row of the i-th node in its n-th state.
func (h *History) Row(tb testing.TB, i, n int) catalog.NodeRow {
	tb.Helper()
	return catalog.NodeRow{
		Node: h.Node(tb, i), State: RID("state", i, n), GreatestIAT: Start + int64(n),
		Listed: true, Status: discovery.Up, Since: Start + int64(n),
	}
}

// RID returns a hash that looks like a record id.
func RID(what string, i, n int) identity.Hash {
	return sha256.Sum256(fmt.Appendf(nil, "%s %d %d", what, i, n))
}

// odd returns bytes that a text column or a careless driver would not survive:
// zeros, quotes, broken UTF-8, placeholders.
func odd(what string, n int64, size int) []byte {
	head := fmt.Appendf(nil, "\x00'\"\\%s %d\xff\xfe$1 %%s \u202e", what, n)
	sum := sha256.Sum256(head)
	return append(head, bytes.Repeat(sum[:], size/len(sum)+1)...)
}
