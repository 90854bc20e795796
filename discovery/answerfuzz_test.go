package discovery_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// maxSpoilt bounds the messages that are worth changing: the vectors of limits
// are long and dull.
const maxSpoilt = 128 << 10

func FuzzAnswer(f *testing.F) { fuzzMessages(f, vectors.AnswerKind) }

func FuzzRefresh(f *testing.F) { fuzzMessages(f, vectors.RefreshKind) }

func FuzzNode(f *testing.F) { fuzzMessages(f, vectors.NodeKind) }

func FuzzReceipt(f *testing.F) { fuzzMessages(f, vectors.ReceiptKind) }

func FuzzTombstoneReceipt(f *testing.F) { fuzzMessages(f, vectors.TombstoneReceiptKind) }

func FuzzServices(f *testing.F) { fuzzMessages(f, vectors.ServicesKind) }

func FuzzHead(f *testing.F) { fuzzMessages(f, vectors.HeadKind) }

// fuzzMessages changes messages of registries at one place. A good message that
// opens all the same proves what it proved before; only heartbeats, which are
// the nodes' own word, can be lost. The verdict does not depend on what the
// reader has opened before, and the reader's marks stay as they are.
func fuzzMessages(f *testing.F, kind vectors.Kind) {
	f.Helper()
	all := messagesOf(f, kind)
	bundles := map[string]*identity.Bundle{}
	warm := map[string]*discovery.Opener{}
	for i, v := range all {
		if bundles[string(v.Bundle)] == nil {
			b, err := identity.ParseBundle(v.Bundle)
			if err != nil {
				f.Fatal(err)
			}
			bundles[string(v.Bundle)], warm[string(v.Bundle)] = b, discovery.NewOpener(b)
		}
		f.Add(uint16(i), uint16(1), byte(3), []byte{0, 1}) // as it is
		if v.Class == "" && i < 3 {
			for way := range byte(7) {
				f.Add(uint16(i), uint16(3*i)+uint16(way), way, []byte{0, way, 1})
			}
		}
	}
	f.Fuzz(func(t *testing.T, index, place uint16, way byte, with []byte) {
		v := all[int(index)%len(all)]
		v.Doc = string(spoil.JSON([]byte(v.Doc), place, way, with))
		marks, err := json.Marshal(v.Nodes)
		if err != nil {
			t.Fatal(err)
		}
		var got *vectors.AnswerWant
		spoil.Bounded(t, len(v.Doc)+len(v.Full), 64, func() {
			got, err = judge.Message(discovery.NewOpener(bundles[string(v.Bundle)]), v)
		})
		if _, again := judge.Message(warm[string(v.Bundle)], v); identity.CodeOf(again) != identity.CodeOf(err) {
			t.Errorf("%v, and %v from who has opened others before", err, again)
		}
		if after, e := json.Marshal(v.Nodes); e != nil || string(after) != string(marks) {
			t.Errorf("opening a message changed the reader's marks")
		}
		switch {
		case err != nil:
			spoil.Refused(t, err)
		case v.Class == "":
			checkSame(t, v.Want, got)
		}
	})
}

// messagesOf returns the vectors of a kind, good ones first, decompressed and
// without those that are too long.
func messagesOf(f *testing.F, kind vectors.Kind) []vectors.Answer {
	f.Helper()
	file, err := vectors.Read[vectors.Answer]("../testdata/vectors", vectors.AnswersFile)
	if err != nil {
		f.Fatal(err)
	}
	var all []vectors.Answer
	for _, v := range file.Vectors {
		if v.Gzip != nil {
			doc, err := judge.Decompressed(v.Gzip, discovery.MaxAnswerBytes)
			if err != nil {
				f.Fatal(err)
			}
			v.Doc, v.Gzip = string(doc), nil
		}
		if v.Kind == kind && len(v.Doc) <= maxSpoilt {
			all = append(all, v)
		}
	}
	slices.SortStableFunc(all, func(a, b vectors.Answer) int { return cmpBool(a.Class != "", b.Class != "") })
	return all
}

func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// checkSame compares what a message proves with what it proved before it was
// changed.
func checkSame(t *testing.T, want, got *vectors.AnswerWant) {
	t.Helper()
	wanted := *want
	wanted.Marks, wanted.Nodes = nil, slices.Clone(want.Nodes)
	for i := range min(len(got.Nodes), len(wanted.Nodes)) {
		if had := &wanted.Nodes[i]; got.Nodes[i].K < had.K { // its heartbeat was lost
			had.K, had.Live, had.Reason = got.Nodes[i].K, got.Nodes[i].Live, got.Nodes[i].Reason
			wanted.Active, got.Active = nil, nil
		}
	}
	same := cmp.Options{
		cmp.Comparer(func(a, b identity.NodeID) bool { return a == b }),
		cmp.Comparer(func(a, b []identity.NodeID) bool { return slices.Equal(a, b) }),
	}
	if d := cmp.Diff(&wanted, got, same); d != "" {
		t.Errorf("before -, after +\n%s", d)
	}
}
