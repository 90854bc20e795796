package store_test

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry/catalog"
)

// registrants are nodes of some services.
type registrants []*registrant

type registrant struct {
	cred   *identity.Credential
	cert   *identity.Certificate
	bundle *identity.Bundle
	chain  *identity.Chain
	record identity.Record
	signed []*identity.Statement // what it registers in its next turn
}

func newRegistrants(b *testing.B, ca *testca.Authority, count, perService int) registrants {
	b.Helper()
	bundle, nodes := ca.Bundle(), make(registrants, count)
	for i := range nodes {
		n := &registrant{cred: ca.Issue(ca.ID(fmt.Sprintf("service-%d", i/perService), fmt.Sprintf("n-%d", i))), bundle: bundle}
		var err error
		if n.cert, err = bundle.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse); err != nil {
			b.Fatal(err)
		}
		if n.chain, err = identity.NewChain(n.cred.ID(), 240); err != nil {
			b.Fatal(err)
		}
		now := time.Now().Unix()
		n.record = identity.Record{
			Check:     identity.Check{Interval: 10, Type: identity.CheckTCP},
			Endpoints: []identity.Endpoint{{Address: "10.1.2.3", Name: "main", Port: 5432, Protocol: "tcp"}},
			Epoch:     now, Exp: now + 3600, IAT: now, State: identity.Active,
			Heartbeat: identity.Heartbeat{Anchor: n.chain.Anchor(), Count: 240, Interval: 15},
			Metadata:  map[string]string{"version": "17.2", "zone": "a"},
		}
		nodes[i] = n
	}
	return nodes
}

// sign signs the next records of every node.
func (r registrants) sign(b *testing.B, records int) {
	b.Helper()
	for _, n := range r {
		n.signed = n.signed[:0]
		for range records {
			n.record.Sequence++
			s, err := identity.SignRecord(n.record, n.cred, n.bundle)
			if err != nil {
				b.Fatal(err)
			}
			n.signed = append(n.signed, s)
		}
	}
}

// submit registers all that was signed, node beside node, and returns how many
// records that were.
func (r registrants) submit(b *testing.B, c *catalog.Catalog) (count int) {
	b.Helper()
	var all sync.WaitGroup
	for _, n := range r {
		count += len(n.signed)
		all.Go(func() {
			for _, s := range n.signed {
				if _, err := c.Submit(b.Context(), s.Token(), catalog.Peer{Certificate: n.cert}); err != nil {
					b.Errorf("registering %s: %v", s.Node(), err)
					return
				}
			}
		})
	}
	all.Wait()
	return count
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// processorTime returns what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// verdict says whether a figure is within its limit.
func verdict(figure, limit float64) string {
	if figure > limit {
		return "FAIL"
	}
	return "PASS"
}
