package judge

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// signed is a moment at which the messages of all vectors were in time.
const signed = 1_795_348_801

// Message does with the message of a vector what its reader must: it opens it
// with an opener for the vector's bundle and, where the reader's mark has moved
// meanwhile, links the two. It returns what the message proves, without the
// marks of nodes. An error without a class says that the vector itself is
// broken.
func Message(o *discovery.Opener, v vectors.Answer) (*vectors.AnswerWant, error) {
	got, err := open(o, v)
	if err == nil && v.Moved != nil {
		got.Overtaken, err = link(v, got.Mark)
	}
	return got, err
}

// ask returns what the reader of a vector knows.
func ask(v vectors.Answer) discovery.Ask {
	a := discovery.Ask{
		Service: v.Service, Mark: v.Mark, Now: time.Unix(v.Now, 0).UTC(),
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
func open(o *discovery.Opener, v vectors.Answer) (*vectors.AnswerWant, error) {
	doc := []byte(v.Doc)
	if v.Gzip != nil {
		var err error
		if doc, err = Decompressed(v.Gzip, discovery.MaxAnswerBytes); err != nil {
			return nil, err
		}
	}
	switch v.Kind {
	case vectors.AnswerKind:
		view, err := o.Answer(doc, ask(v))
		return ofView(view, err)
	case vectors.RefreshKind:
		return openRefresh(o, v, doc)
	case vectors.ReceiptKind, vectors.TombstoneReceiptKind:
		return openReceipt(o, v, doc)
	case vectors.NodeKind:
		w, err := ofView(o.Node(doc, *v.Node, ask(v)))
		if err == nil {
			w.Value = nil // a receipt is opened without the other records
		}
		return w, err
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
	return nil, fmt.Errorf("unknown kind %q", v.Kind)
}

// openRefresh opens the full answer first, then its refresh.
func openRefresh(o *discovery.Opener, v vectors.Answer, doc []byte) (*vectors.AnswerWant, error) {
	before := v
	before.Now, before.Mark = v.Now-10, nil
	if v.Want == nil {
		before.Now = signed // the full answer was in time
	}
	full, err := o.Answer([]byte(v.Full), ask(before))
	if err != nil {
		return nil, fmt.Errorf("opening the full answer: %s", err) //nolint:errorlint // its class is not the refresh's
	}
	return ofView(o.Refresh(doc, full, ask(v)))
}

// openReceipt opens the receipt of a record or a tombstone.
func openReceipt(o *discovery.Opener, v vectors.Answer, doc []byte) (*vectors.AnswerWant, error) {
	s, err := Statement(o.Bundle(), *v.Statement)
	if err != nil {
		return nil, fmt.Errorf("opening the statement: %s", err) //nolint:errorlint // its class is not the receipt's
	}
	if v.Kind == vectors.TombstoneReceiptKind {
		h, err := o.TombstoneReceipt(doc, s, ask(v))
		return ofHead(h), err
	}
	l, err := o.Receipt(doc, s, ask(v))
	if err != nil {
		return nil, err
	}
	w := ofHead(l.Head)
	w.Found, w.Status, w.Since = true, l.Status.String(), l.Since
	return w, nil
}

func ofHead(h discovery.Head) *vectors.AnswerWant {
	return &vectors.AnswerWant{Registry: h.Registry, Mark: h.Mark(), Active: []identity.NodeID{}, Nodes: []vectors.NodeWant{}, LeftOut: []vectors.LeftOut{}}
}

func ofView(v *discovery.View, err error) (*vectors.AnswerWant, error) {
	if err != nil {
		return nil, err
	}
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
	return w, nil
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

// Marks compares a reader's file of marks with what the good message of a
// vector leaves there.
func Marks(v vectors.Answer, text []byte) error {
	var got struct {
		Registries map[identity.NodeID]identity.RegistryMark
		Nodes      map[identity.NodeID]discovery.NodeMark
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return fmt.Errorf("reading marks: %w", err)
	}
	if mark := got.Registries[Registry(v)]; mark != v.Want.Mark {
		return fmt.Errorf("the mark is %v, want %v", mark, v.Want.Mark)
	}
	if v.Want.Marks != nil && !maps.Equal(got.Nodes, v.Want.Marks) {
		return fmt.Errorf("the marks of nodes are %v, want %v", got.Nodes, v.Want.Marks)
	}
	return nil
}

// Statement opens a statement that the vector's reader has verified before.
func Statement(b *identity.Bundle, s vectors.Signed) (*identity.Statement, error) {
	leaf, issuer, err := identity.ParsePair([][]byte{s.Certificate, s.Issuer})
	if err != nil {
		return nil, err
	}
	cert, err := b.Verify(leaf, issuer, identity.ClientUse)
	if err != nil {
		return nil, err
	}
	env, err := identity.ParseEnvelope(s.Token, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		return nil, err
	}
	return b.OpenStatement(env, cert)
}

// Decompressed reads what gzip holds, up to most bytes and one more.
func Decompressed(compressed []byte, most int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("reading gzip: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading gzip: %w", err)
	}
	return b, nil
}
