package store_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// The limits of what a client may pay for a record: as multiples of a bare
// signature check where it is new, in µs where it has seen it before.
const (
	limitNewRecord   = 1.6
	limitKnownRecord = 5.0
)

// A reading is one way to verify the same answer, with what it costs.
type reading struct {
	name string
	read func() error
	cpu  []float64 // processor µs per record, by turn
}

// BenchmarkVerification is what a client pays for each record of an answer: of
// nodes that it has never met (cold), new records of nodes whose certificates it
// knows (new), the same answer again (known), and only its refresh (refresh).
// Beside it stands a bare ES256 verification (raw). All take turns; the figures
// are medians over turns.
func BenchmarkVerification(b *testing.B) {
	for _, records := range []int{10, 100} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) { benchmarkVerification(b, records) })
	}
}

func benchmarkVerification(b *testing.B, records int) {
	b.Helper()
	const turns = 9
	all := newReadings(b, records)
	for b.Loop() {
		for turn := range turns + 1 {
			for i := range all {
				all[(turn+i)%len(all)].turn(b, records, turn > 0) // the first one only warms up
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of all turns together: says nothing
	cost := map[string]float64{}
	for _, r := range all {
		cost[r.name] = median(r.cpu)
		b.ReportMetric(cost[r.name], r.name+"-µs/record")
	}
	ratio := cost["new"] / cost["raw"]
	b.ReportMetric(ratio, "new-ratio")
	b.Logf("%s: a new record takes %.1f µs, %.2f × the %.1f µs of a bare verification (limit %.2f ×)",
		verdict(ratio, limitNewRecord), cost["new"], ratio, cost["raw"], limitNewRecord)
	b.Logf("%s: an unchanged record takes %.1f µs in an answer (limit %.1f µs)", verdict(cost["known"], limitKnownRecord), cost["known"], limitKnownRecord)
	b.Logf("%s: an unchanged record takes %.1f µs in a refresh (limit %.1f µs)", verdict(cost["refresh"], limitKnownRecord), cost["refresh"], limitKnownRecord)
}

// turn reads for long enough to be measured.
func (r *reading) turn(b *testing.B, records int, counts bool) {
	b.Helper()
	const atLeast = 50 * time.Millisecond
	used, reads := processorTime(b), 0
	for began := time.Now(); time.Since(began) < atLeast; reads++ {
		if err := r.read(); err != nil {
			b.Fatalf("%s: %v", r.name, err)
		}
	}
	if counts {
		r.cpu = append(r.cpu, float64((processorTime(b)-used).Nanoseconds())/1000/float64(reads*records))
	}
}

func newReadings(b *testing.B, records int) []*reading {
	b.Helper()
	ca := testca.New("production", "benchmark", time.Now())
	nodes := newRegistrants(b, ca, records, records)
	nodes.sign(b, 1)
	c := openCatalog(b, ca, memstore.New())
	nodes.submit(b, c)
	nodes.beat(b, c)
	answer, err := c.Snapshot().Answer("service-0", 0)
	full := encoded(b, answer, err)
	update, err := c.Snapshot().Refresh("service-0", 0)
	refresh := encoded(b, update, err)

	ask := discovery.Ask{Service: "service-0", Now: time.Now()}
	known := ca.Bundle()
	warm := discovery.NewOpener(known)
	view, err := warm.Answer(full, ask)
	if err != nil || len(view.Nodes) != records {
		b.Fatalf("opening the answer: %v", err)
	}
	open := func(o *discovery.Opener) error {
		_, err := o.Answer(full, ask)
		return err
	}
	return []*reading{
		{name: "raw", read: rawVerification(b, records)},
		{name: "cold", read: func() error { return open(discovery.NewOpener(ca.Bundle())) }},
		{name: "new", read: func() error { return open(discovery.NewOpener(known)) }},
		{name: "known", read: func() error { return open(warm) }},
		{name: "refresh", read: func() error {
			_, err := warm.Refresh(refresh, view, ask)
			return err
		}},
	}
}

// rawVerification returns a function that verifies as many signatures as an
// answer has records.
func rawVerification(b *testing.B, records int) func() error {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a signing input"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		for range records {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
				return identity.Refuse(identity.BadSignature, "the signature does not verify")
			}
		}
		return nil
	}
}

// beat lets every node reveal the first token that its clock allows.
func (r registrants) beat(b *testing.B, c *catalog.Catalog) {
	b.Helper()
	for _, n := range r {
		s := n.signed[len(n.signed)-1]
		token, _ := n.chain.Token(1)
		if _, err := c.Beat(b.Context(), catalog.Peer{Certificate: n.cert}, s.RID(), identity.Beat{K: 1, Token: token}); err != nil {
			b.Fatal(err)
		}
	}
}

func encoded(b *testing.B, document any, err error) []byte {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		b.Fatal(err)
	}
	return text
}
