package discovery_test

import (
	"fmt"
	"testing"

	"github.com/neurons-me/netget/discovery"
)

// BenchmarkOpen is what a client pays for an answer: cold, with nothing
// verified before, and warm, when it is opened again.
func BenchmarkOpen(b *testing.B) {
	for _, count := range []int{10, 100} {
		s := newSetup("north")
		north := newLab(s.ca, s.clock, "north")
		nodes := make([]*dbNode, count)
		for i := range nodes {
			nodes[i] = newNode(s.ca, fmt.Sprintf("db-%d", i), start)
		}
		north.commit(nodes...)
		doc, ask := north.answer(2, 0), discovery.Ask{Service: service, Now: start}
		b.Run(fmt.Sprintf("cold/%d", count), func(b *testing.B) {
			for b.Loop() {
				if _, err := discovery.NewOpener(s.ca.Bundle()).Answer(doc, ask); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/record")
		})
		b.Run(fmt.Sprintf("warm/%d", count), func(b *testing.B) {
			opener := discovery.NewOpener(s.ca.Bundle())
			for b.Loop() {
				if _, err := opener.Answer(doc, ask); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/record")
		})
	}
}
