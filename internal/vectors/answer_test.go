package vectors_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

func TestAnswers(t *testing.T) {
	f, err := vectors.Read[vectors.Answer](folder, vectors.AnswersFile)
	if err != nil {
		t.Fatal(err)
	}
	each(t, vectors.AnswersFile, func(t *testing.T, v vectors.Answer) error {
		t.Helper()
		before, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		o := discovery.NewOpener(bundleOf(t, v.Bundle))
		got, err := open(t, o, v)
		if err == nil && v.Moved != nil {
			got.Overtaken, err = link(v, got.Mark)
		}
		if again := openWarm(t, f.Vectors[0], v); identity.CodeOf(again) != identity.CodeOf(err) {
			t.Errorf("whoever has opened a good answer before says %v", again)
		}
		if after, e := json.Marshal(v); e != nil || string(after) != string(before) {
			t.Errorf("opening an answer changed the reader's marks")
		}
		if err != nil {
			return err
		}
		got.Marks = v.Want.Marks // written by a client, see TestClient
		want(t, v.Want, got)
		return nil
	})
}

// openWarm opens a message with an opener that knows the records of good.
func openWarm(t *testing.T, good, v vectors.Answer) error {
	t.Helper()
	o := discovery.NewOpener(bundleOf(t, v.Bundle))
	if _, err := open(t, o, good); err != nil && v.Class == "" {
		t.Fatal(err)
	}
	got, err := open(t, o, v)
	if err == nil && v.Moved != nil {
		_, err = link(v, got.Mark)
	}
	return err
}

// ask returns what the reader of a vector knows.
func ask(v vectors.Answer) discovery.Ask {
	a := discovery.Ask{
		Service: v.Service, Mark: v.Mark, Now: at(v.Now),
		Registries: func(id identity.NodeID) bool { return slices.Contains(v.Registries, id) },
		Nodes: func(id identity.NodeID) *discovery.NodeMark {
			if m, ok := v.Nodes[id]; ok {
				return &m
			}
			return nil
		},
	}
	if v.Peer != nil {
		a.Peer = *v.Peer
	}
	return a
}

// open opens a message of any kind.
func open(t *testing.T, o *discovery.Opener, v vectors.Answer) (*vectors.AnswerWant, error) {
	t.Helper()
	doc := []byte(v.Doc)
	if v.Gzip != nil {
		doc = decompressed(t, v.Gzip, discovery.MaxAnswerBytes)
	}
	switch v.Kind {
	case vectors.AnswerKind:
		view, err := o.Answer(doc, ask(v))
		if err != nil {
			return nil, err
		}
		return ofView(view), nil
	case vectors.RefreshKind:
		return openRefresh(t, o, v, doc)
	case vectors.ReceiptKind:
		l, err := o.Receipt(doc, statementOf(t, o.Bundle(), *v.Statement), ask(v))
		if err != nil {
			return nil, err
		}
		w := ofHead(l.Head)
		w.Found, w.Status, w.Since = true, l.Status.String(), l.Since
		return w, nil
	case vectors.TombstoneReceiptKind:
		h, err := o.TombstoneReceipt(doc, statementOf(t, o.Bundle(), *v.Statement), ask(v))
		return ofHead(h), err
	case vectors.NodeKind:
		view, err := o.Node(doc, *v.Node, ask(v))
		if err != nil {
			return nil, err
		}
		w := ofView(view)
		w.Value = nil // a receipt is opened without the other records
		return w, nil
	case vectors.ServicesKind:
		h, sums, err := o.Services(doc, ask(v))
		w := ofHead(h)
		for _, s := range sums {
			w.Services = append(w.Services, discovery.ServiceRow(s))
		}
		return w, err
	case vectors.HeadKind:
		h, err := o.Head(doc, ask(v))
		return ofHead(h), err
	}
	t.Fatalf("unknown kind %q", v.Kind)
	return nil, nil
}

// openRefresh opens the full answer first, then its refresh.
func openRefresh(t *testing.T, o *discovery.Opener, v vectors.Answer, doc []byte) (*vectors.AnswerWant, error) {
	t.Helper()
	before := v
	before.Now, before.Mark = v.Now-10, nil
	if v.Want == nil {
		before.Now = 1_795_348_801 // the full answer was in time
	}
	full, err := o.Answer([]byte(v.Full), ask(before))
	if err != nil {
		t.Fatalf("the full answer: %v", err)
	}
	view, err := o.Refresh(doc, full, ask(v))
	if err != nil {
		return nil, err
	}
	return ofView(view), nil
}

func ofHead(h discovery.Head) *vectors.AnswerWant {
	return &vectors.AnswerWant{Registry: h.Registry, Mark: h.Mark(), Active: []identity.NodeID{}, Nodes: []vectors.NodeWant{}, LeftOut: []vectors.LeftOut{}}
}

func ofView(v *discovery.View) *vectors.AnswerWant {
	w := ofHead(v.Head)
	w.Found = v.Found
	if v.Found {
		w.Value = &v.Value
	}
	for _, n := range v.Nodes {
		w.Nodes = append(w.Nodes, vectors.NodeWant{ID: n.Record.Node, RID: n.RID, Status: n.Status.String(), Since: n.Since, K: n.Beat.K, Live: n.Live, Reason: n.Reason()})
		if n.Active() {
			w.Active = append(w.Active, n.Record.Node)
		}
	}
	for _, l := range v.LeftOut {
		if l.Code == identity.Equivocation && len(l.Evidence) == 0 {
			w.LeftOut = append(w.LeftOut, vectors.LeftOut{Code: "no evidence"})
		}
		w.LeftOut = append(w.LeftOut, vectors.LeftOut{ID: l.ID, Code: l.Code})
	}
	return w
}

// link is step 4 of the client algorithm for a mark that has moved since the
// request: the two must be linked before the answer is used.
func link(v vectors.Answer, head identity.RegistryMark) (overtaken bool, err error) {
	mark := v.Moved.Mark
	older, newer := head, mark
	if mark.Version < head.Version {
		older, newer = mark, head
	}
	if older.Version == newer.Version {
		if older.Root != newer.Root || older.Log != newer.Log {
			return false, identity.Refuse(identity.Equivocation, "two histories of version %d", older.Version)
		}
		return false, nil
	}
	return head.Version < mark.Version, discovery.CheckConsistency(v.Moved.Proof, older, newer)
}
