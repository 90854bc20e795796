package attack_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
)

// read returns the vectors of a file.
func read[V any](t *testing.T, file string) []V {
	t.Helper()
	f, err := vectors.Read[V](vectorFolder, file)
	if err != nil {
		t.Fatal(err)
	}
	return f.Vectors
}

// A siege is one registry with all that is sent to it: what comes at one
// moment, under one bundle, to whoever holds the same states of nodes. As it is
// all refused, nothing ever changes.
type siege[V any] struct {
	bundle  json.RawMessage
	now     int64
	vectors []V
}

// sieges puts vectors together that one registry can take.
func sieges[V any](t *testing.T, list []V, of func(V) (bundle json.RawMessage, now int64, states any)) []*siege[V] {
	t.Helper()
	var all []*siege[V]
	known := map[string]*siege[V]{}
	for _, v := range list {
		bundle, now, states := of(v)
		var compact bytes.Buffer
		if err := json.Compact(&compact, bundle); err != nil {
			t.Fatal(err)
		}
		key, err := json.Marshal([]any{compact.String(), now, states})
		if err != nil {
			t.Fatal(err)
		}
		s := known[string(key)]
		if s == nil {
			s = &siege[V]{bundle: bundle, now: now}
			known[string(key)], all = s, append(all, s)
		}
		s.vectors = append(s.vectors, v)
	}
	return all
}

// statuses are the HTTP statuses of the classes (docs/protocol.md section 5,
// "Error classes").
func statuses(class identity.Code) int {
	return map[identity.Code]int{
		identity.Limits: 400, identity.Malformed: 400, identity.BadHeader: 400, identity.BadTime: 400,
		identity.BadSignature: 401, identity.BadCert: 401,
		identity.Binding: 403, identity.WrongNetwork: 403, identity.Denied: 403, identity.Revoked: 403,
		identity.NotFound: 404, identity.Superseded: 409,
	}[class]
}

func attackRecords(t *testing.T, g *group) {
	t.Helper()
	bad := slices.DeleteFunc(read[vectors.Record](t, vectors.RecordsFile), func(v vectors.Record) bool { return v.Class == "" })
	for _, s := range sieges(t, bad, func(v vectors.Record) (json.RawMessage, int64, any) { return v.Bundle, v.Now, v.State }) {
		r := newTarget(t, s.bundle, s.now)
		if state := s.vectors[0].State; state != nil {
			r.hold(t, *state)
		}
		before, stored := r.state(t), dumpOf(t, r.store())
		for _, v := range s.vectors {
			g.try(t, v.Name, wantOfRecord(v), func(t *testing.T) outcome {
				t.Helper()
				defer r.unchanged(t, &before)
				return r.sendRecord(t, v)
			})
		}
		r.process.stop(t)
		if s.vectors[0].Name == "the lesser of two records for one place" {
			keepsEvidence(t, stored, r.store())
			continue
		}
		unchangedStore(t, &stored, r.store())
	}
	attackSecondForm(t, g)
}

// wantOfRecord says what the wire makes of a vector's class: the handshake
// comes before the first byte of a request, and what is longer than a signed
// object may be exceeds the size of the message.
func wantOfRecord(v vectors.Record) outcome {
	switch {
	case v.Class == identity.BadCert || v.Class == identity.Revoked:
		return outcome("no connection: " + string(v.Class))
	case len(v.Token) > identity.MaxTokenBytes || v.TokenGzip != nil:
		return answered(http.StatusRequestEntityTooLarge, v.Class)
	}
	return answered(statuses(v.Class), v.Class)
}

func (r *target) sendRecord(t *testing.T, v vectors.Record) outcome {
	t.Helper()
	if v.TokenGzip != nil {
		token, err := judge.Decompressed(v.TokenGzip, 2<<20)
		if err != nil {
			t.Fatal(err)
		}
		v.Token = string(token)
	}
	c := r.dial(t, v.Certificate, v.Issuer)
	if v.Class == identity.BadCert || v.Class == identity.Revoked {
		return r.handshake(t, c, c.message(t, "/v1/records", jose, []byte(v.Token)))
	}
	got := r.post(t, c, v.Token)
	if v.Class == identity.Superseded {
		toldState(t, got, *v.State)
	}
	return got.outcome()
}

// toldState fails unless a refusal carries the node's state.
func toldState(t *testing.T, r reply, state vectors.Signed) {
	t.Helper()
	p := identity.ParseProblem(r.status, r.header, r.body)
	if p.Current != state.Token || !bytes.Equal(p.Certificate, state.Certificate) || !bytes.Equal(p.Issuer, state.Issuer) {
		t.Errorf("told %.40s… as the state, want %.40s…", p.Current, state.Token)
	}
}

// keepsEvidence fails unless a store has changed in what it must keep of a node
// that signed two statements for one place, and in nothing else.
func keepsEvidence(t *testing.T, before dump, path string) {
	t.Helper()
	after := dumpOf(t, path)
	for table := range before {
		if table != "object" && table != "node" && !slices.Equal(before[table], after[table]) {
			t.Errorf("the evidence changed the table %s", table)
		}
	}
	if got, want := len(after["object"]), len(before["object"])+1; got != want {
		t.Errorf("%d objects are kept, want %d", got, want)
	}
	holding := slices.ContainsFunc(after["node"], func(row string) bool {
		return strings.Contains(row, "databaseservice/db-1") && !strings.Contains(row, "evidence=<nil>")
	})
	if !holding || len(after["node"]) != len(before["node"]) {
		t.Errorf("no evidence of the node that signed twice\n%s", strings.Join(after["node"], "\n"))
	}
}

// attackSecondForm sends the one altered signature that must verify: it makes
// the same record, not another.
func attackSecondForm(t *testing.T, g *group) {
	t.Helper()
	all := read[vectors.Record](t, vectors.RecordsFile)
	const name = "the other form (r, n-s) of an ECDSA signature, which leaves the record id as it is"
	v := all[slices.IndexFunc(all, func(v vectors.Record) bool { return v.Name == name })]
	original := all[0]
	r := newTarget(t, v.Bundle, v.Now)
	r.hold(t, original.Signed)
	before := r.state(t)
	g.try(t, name, "200, the same record", func(t *testing.T) outcome {
		t.Helper()
		defer r.unchanged(t, &before)
		if v.Token == original.Token || original.Want.RID != v.Want.RID {
			t.Fatal("the vectors are not the two forms of one signature")
		}
		got := r.post(t, r.dial(t, v.Certificate, v.Issuer), v.Token)
		var receipt struct{ RID identity.Hash }
		if err := json.Unmarshal(got.body, &receipt); err != nil || receipt.RID != v.Want.RID {
			return got.outcome()
		}
		return got.outcome() + ", the same record"
	})
}
