package identity_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// classed fails if what was refused has no class.
func classed(t *testing.T, err error) {
	t.Helper()
	if identity.CodeOf(err) == "" {
		t.Errorf("a refusal without class: %v", err)
	}
}

func FuzzEnvelope(f *testing.F) {
	n := newNetwork(f, "databaseservice", "db-1")
	f.Add(n.token(identity.RecordTyp, jcs(n.record())))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		env, err := identity.ParseEnvelope(token, identity.RecordTyp, identity.TombstoneTyp, identity.HeadTyp)
		if err != nil {
			classed(t, err)
			return
		}
		payload, err := env.Open(n.cred.Leaf())
		if err != nil {
			classed(t, err)
			return
		}
		if err := identity.CheckCanonical(payload); err != nil {
			t.Errorf("an opened payload: %v", err)
		}
	})
}

// FuzzRecord signs what comes, so that all behind the signature is reached.
func FuzzRecord(f *testing.F) {
	n := newNetwork(f, "databaseservice", "db-1")
	f.Add(jcs(n.record()), false)
	f.Add(jcs(n.tombstone()), true)
	for _, row := range recordRows() {
		doc := n.record()
		for _, edit := range row.edit {
			edit(doc)
		}
		f.Add(jcs(doc), false)
	}
	f.Fuzz(func(t *testing.T, payload string, tombstone bool) {
		typ := identity.RecordTyp
		if tombstone {
			typ = identity.TombstoneTyp
		}
		s, err := n.open(n.token(typ, payload))
		if err != nil {
			classed(t, err)
			return
		}
		if s.Node() != n.id || s.IsTombstone() != tombstone || s.Epoch() < 1 || s.Sequence() < 1 || s.ExpiresAt() <= s.IssuedAt() {
			t.Errorf("accepted %s", payload)
		}
		if r, ok := s.Record(); ok {
			again, err := identity.MarshalCanonical(r)
			if err != nil || string(again) != payload {
				t.Errorf("%s encodes as %s, %v", payload, again, err)
			}
		}
	})
}

func FuzzNodeID(f *testing.F) {
	f.Add(dbURI)
	for _, bad := range badNames {
		f.Add("spiffe://production.netget.internal/a/" + bad)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := identity.ParseNodeID(s)
		if err != nil {
			classed(t, err)
			return
		}
		again, err := identity.NewNodeID(id.TrustDomain(), id.Service(), id.Label())
		if id.String() != s || err != nil || again != id || len(s) > 2048 {
			t.Errorf("%q reads as %q, %v", s, id, err)
		}
		for _, name := range id.DNSNames() {
			if !identity.IsAddress(name) {
				t.Errorf("%q has the DNS name %q", s, name)
			}
		}
	})
}

func FuzzCanonical(f *testing.F) {
	n := newNetwork(f, "databaseservice", "db-1")
	f.Add(jcs(n.record()))
	f.Add(`{"a":[1,{"b":"\"\\"}],"c":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		if err := identity.CheckCanonical([]byte(text)); err != nil {
			classed(t, err)
			return
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("canonical %q is no JSON: %v", text, err)
		}
		var raw json.RawMessage
		if err := identity.UnmarshalStrict([]byte(text), &raw); err != nil {
			t.Errorf("canonical %q has a repeated member: %v", text, err)
		}
	})
}

func FuzzBundle(f *testing.F) {
	ca := testca.New("production", "a", now)
	good, err := json.Marshal(ca.Bundle(ca.CRL(1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, false)
	f.Add(ca.Bundle(ca.CRL(1)).PEM(), true)
	f.Fuzz(func(t *testing.T, text []byte, pem bool) {
		parse := identity.ParseBundle
		if pem {
			parse = func(text []byte) (*identity.Bundle, error) { return identity.BundleFromPEM(text, identity.Hash{}) }
		}
		b, err := parse(text)
		if err != nil {
			classed(t, err)
			return
		}
		if b.NID() != identity.NID(b.Roots()[0]) || b.TrustDomain().IsZero() {
			t.Errorf("a bundle of %s, %s", b.TrustDomain(), b.NID())
		}
		if _, err := b.CRLHash(); err != nil {
			t.Error(err)
		}
		again, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := identity.ParseBundle(again); err != nil {
			t.Errorf("a bundle does not survive its own encoding: %v", err)
		}
	})
}

func FuzzHeartbeat(f *testing.F) {
	n := newNetwork(f, "databaseservice", "db-1")
	chain, err := identity.ChainFromSeed(n.id, 50, identity.Hash{7})
	if err != nil {
		f.Fatal(err)
	}
	r := &identity.Record{Node: n.id, IAT: now.Unix(), Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 50, Interval: 10}}
	known, _ := chain.Token(3)
	f.Add(int64(3), known[:], int64(0))
	f.Add(int64(50), known[:], int64(49))
	f.Fuzz(func(t *testing.T, k int64, token []byte, last int64) {
		var b identity.Beat
		b.K = k
		copy(b.Token[:], token)
		var before identity.Beat
		if known, ok := chain.Token(last); ok {
			before = identity.Beat{K: last, Token: known}
		}
		got, err := r.VerifyBeat(b, before, now.Add(5*time.Minute))
		if err != nil {
			classed(t, err)
			if got != before {
				t.Errorf("a refused beat counts: %v", got)
			}
			return
		}
		if right, _ := chain.Token(got.K); got != before && right != got.Token {
			t.Errorf("accepted %v", got)
		}
	})
}
