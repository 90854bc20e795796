package identity_test

import (
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newRecord(t *testing.T, id identity.NodeID) (identity.Record, *identity.Chain) {
	t.Helper()
	chain, err := identity.NewChain(id, 1440)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     now.Unix(), IAT: now.Unix(), Exp: now.Unix() + 6*3600, Sequence: 1,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 1440, Interval: 15},
		Metadata:  map[string]string{"zone": "a", "name": "<db> & \"co\" \\ ü"},
		State:     identity.Active,
	}, chain
}

func TestRecordRoundTrip(t *testing.T) {
	for _, kind := range []string{"ES256", "EdDSA"} {
		t.Run(kind, func(t *testing.T) {
			ca := testca.New("production", "a", now)
			id := ca.ID("databaseservice", "db-1")
			cred := ca.Issue(id)
			if kind == "EdDSA" {
				cred = ca.IssueKey(id, testca.EdKey("db-1"))
			}
			b := ca.Bundle()
			r, chain := newRecord(t, id)
			s, err := identity.SignRecord(r, cred, b)
			if err != nil {
				t.Fatal(err)
			}
			env, err := identity.ParseEnvelope(s.Token(), identity.RecordTyp, identity.TombstoneTyp)
			if err != nil {
				t.Fatal(err)
			}
			again, err := b.OpenStatement(env, s.Certificate())
			if err != nil {
				t.Fatal(err)
			}
			if again.Compare(s) != 0 || again.Node() != id {
				t.Errorf("got %v, want the same statement", again)
			}
			rec, _ := again.Record()
			token, _ := chain.Token(4)
			beat, err := rec.VerifyBeat(identity.Beat{K: 4, Token: token}, identity.Beat{}, now.Add(time.Minute))
			if err != nil || beat.K != 4 {
				t.Errorf("VerifyBeat = %v, %v", beat, err)
			}
			tomb, err := identity.SignTombstone(identity.TombstoneFor(again, b.NID(), now.Unix()), cred, b)
			if err != nil {
				t.Fatal(err)
			}
			if tomb.Compare(again) <= 0 {
				t.Error("a tombstone does not follow its record")
			}
		})
	}
}
