package catalog_test

import (
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry/catalog"
)

// refusal is something that a registry must not take: a token, and who brings it.
type refusal struct {
	name  string
	want  identity.Code
	token func(scene) (string, *node)
}

// A scene is where a refusal happens.
type scene struct {
	t *testing.T
	w *world
}

func TestRefusalsChangeNothing(t *testing.T) {
	for _, tt := range refusals() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				w.node(t, "billing", "b-1").register(t)
				token, by := tt.token(scene{t, w})
				store, head := w.store.Contents(), w.catalog.Snapshot().HeadToken()
				_, err := w.catalog.Submit(context.Background(), token, catalog.Peer{Certificate: by.cert})
				wantClass(t, err, tt.want)
				synctest.Wait()
				wantUnchanged(t, store, w.store.Contents())
				if w.catalog.Snapshot().HeadToken() != head {
					t.Error("a refusal made another head")
				}
				if log := w.log.String(); !strings.Contains(log, `"code":"`+string(tt.want)+`"`) || !strings.Contains(log, by.id().String()) {
					t.Errorf("no audit entry with actor and class in\n%s", log)
				}
			})
		})
	}
}

// seal signs any payload as node n.
func (n *node) seal(tb testing.TB, typ identity.Typ, payload any) string {
	tb.Helper()
	token, err := identity.Seal(typ, payload, n.cred)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// unchecked signs the node's next record although it breaks rules.
func (n *node) unchecked(tb testing.TB, edit func(*identity.Record)) string {
	tb.Helper()
	n.seq++
	r := n.fields(tb)
	r.Aud, r.V, r.Node, r.Service, r.Network = identity.Audience(n.w.trust.NID()), 1, n.id(), n.id().Service(), "production"
	edit(&r)
	return n.seal(tb, identity.RecordTyp, r)
}

func (n *node) uncheckedTombstone(tb testing.TB, state *identity.Statement, edit func(*identity.Tombstone)) string {
	tb.Helper()
	tomb := identity.TombstoneFor(state, n.w.trust.NID(), n.w.now().Unix())
	edit(&tomb)
	return n.seal(tb, identity.TombstoneTyp, tomb)
}

func refusals() []refusal {
	// edited is a refusal of a record that breaks one rule.
	edited := func(name string, want identity.Code, edit func(*identity.Record)) refusal {
		return refusal{name, want, func(s scene) (string, *node) {
			n := s.w.node(s.t, "billing", "b-2")
			return n.unchecked(s.t, edit), n
		}}
	}
	good := func(s scene) (string, *node) {
		n := s.w.node(s.t, "billing", "b-2")
		return n.record(s.t).Token(), n
	}
	return []refusal{
		{"garbage", identity.Malformed, func(s scene) (string, *node) { return "garbage", s.w.node(s.t, "billing", "b-2") }},
		{"too long", identity.Limits, func(s scene) (string, *node) {
			return strings.Repeat("a", identity.MaxTokenBytes+1), s.w.node(s.t, "billing", "b-2")
		}},
		{"a head passed off as a record", identity.BadHeader, func(s scene) (string, *node) {
			return s.w.catalog.Snapshot().HeadToken(), s.w.node(s.t, "billing", "b-2")
		}},
		{"another's connection", identity.Binding, func(s scene) (string, *node) {
			token, _ := good(s)
			return token, s.w.node(s.t, "billing", "b-3")
		}},
		{"the same node's connection with another certificate", identity.Binding, func(s scene) (string, *node) {
			token, n := good(s)
			return token, s.w.as(s.t, s.w.ca.IssueKey(n.id(), testca.Key("renewed")))
		}},
		{"a signature that was altered", identity.BadSignature, func(s scene) (string, *node) {
			token, n := good(s)
			return token[:len(token)-8] + "AAAAAAAA", n
		}},
		edited("a record of version 2", identity.Malformed, func(r *identity.Record) { r.V = 2 }),
		edited("no endpoints", identity.Limits, func(r *identity.Record) { r.Endpoints = []identity.Endpoint{} }),
		edited("a sequence of operators", identity.Limits, func(r *identity.Record) { r.Sequence = identity.OperatorSequence }),
		edited("another network's nid", identity.WrongNetwork, func(r *identity.Record) { r.Aud = identity.Audience(identity.Hash{1}) }),
		edited("another network's name", identity.WrongNetwork, func(r *identity.Record) { r.Network = "staging" }),
		edited("another node", identity.Binding, func(r *identity.Record) { r.Node = testID(r.Node, "billing", "b-1") }),
		edited("another service", identity.Denied, func(r *identity.Record) { r.Service = "search" }),
		edited("signed in the future", identity.BadTime, func(r *identity.Record) { r.IAT += 61; r.Exp += 61 }),
		edited("over", identity.BadTime, func(r *identity.Record) { r.IAT -= 60; r.Exp = r.IAT + 60; r.Epoch -= 60 }),
		edited("longer than a day", identity.BadTime, func(r *identity.Record) {
			r.Exp, r.Heartbeat.Count, r.Heartbeat.Interval = r.IAT+86_401, 8640, 60
		}),
		edited("beyond its certificate", identity.BadTime, func(r *identity.Record) {
			r.IAT += 30
			r.Exp, r.Heartbeat.Count, r.Heartbeat.Interval = r.IAT+86_390, 8640, 60
		}),
		edited("an epoch from the future", identity.BadTime, func(r *identity.Record) { r.Epoch = r.IAT + 61 }),
		{"a record by a client", identity.Denied, func(s scene) (string, *node) {
			n := s.w.node(s.t, "client", "c-1")
			return n.unchecked(s.t, func(*identity.Record) {}), n
		}},
		{"a tombstone for another node", identity.Denied, func(s scene) (string, *node) {
			n := s.w.node(s.t, "billing", "b-2")
			return n.uncheckedTombstone(s.t, s.w.node(s.t, "billing", "b-1").record(s.t), func(*identity.Tombstone) {}), n
		}},
		{"an operator's tombstone with a sequence of nodes", identity.Limits, func(s scene) (string, *node) {
			n := s.w.node(s.t, "operator", "olga")
			return n.uncheckedTombstone(s.t, s.w.node(s.t, "billing", "b-1").record(s.t), func(*identity.Tombstone) {}), n
		}},
		{"an operator's tombstone for a client", identity.Denied, func(s scene) (string, *node) {
			n := s.w.node(s.t, "operator", "olga")
			return n.uncheckedTombstone(s.t, s.w.node(s.t, "billing", "b-1").record(s.t), func(tomb *identity.Tombstone) {
				tomb.Node, tomb.Service, tomb.Sequence = testID(tomb.Node, "client", "c-1"), "client", identity.OperatorSequence
			}), n
		}},
		{"an operator's epoch from the future", identity.BadTime, func(s scene) (string, *node) {
			n := s.w.node(s.t, "operator", "olga")
			return n.removal(s.t, s.w.node(s.t, "billing", "b-1").record(s.t), func(tomb *identity.Tombstone) {
				tomb.IAT += 30
				tomb.Exp += 30
				tomb.Epoch = tomb.IAT + 60
			}).Token(), n
		}},
		{"a certificate that is revoked", identity.Revoked, func(s scene) (string, *node) {
			token, n := good(s)
			s.w.revoke(s.t, 1, n.cert)
			settled()
			return token, n
		}},
		{"a certificate that has ended", identity.BadCert, func(s scene) (string, *node) {
			n := s.w.as(s.t, s.w.ca.Issue(s.w.ca.ID("billing", "b-2"), func(c *x509.Certificate) { c.NotAfter = s.w.now().Add(time.Minute) }))
			tomb := n.tombstone(s.t, n.record(s.t, func(r *identity.Record) { r.Exp = r.IAT + 60 }))
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			return tomb.Token(), n
		}},
		{"a certificate of more than 2 KiB", identity.Limits, func(s scene) (string, *node) {
			n := s.w.as(s.t, s.w.ca.Issue(s.w.ca.ID("billing", "b-2"), func(c *x509.Certificate) {
				c.OCSPServer = []string{"http://" + strings.Repeat("x", 2048)}
			}))
			return n.record(s.t).Token(), n
		}},
		{"an earlier sequence", identity.Superseded, func(s scene) (string, *node) {
			n := s.w.node(s.t, "billing", "b-2")
			earlier := n.record(s.t)
			n.register(s.t)
			return earlier.Token(), n
		}},
		{"an earlier epoch", identity.Superseded, func(s scene) (string, *node) {
			n := s.w.node(s.t, "billing", "b-2")
			earlier := n.record(s.t, func(r *identity.Record) { r.Epoch--; r.Sequence = 1000 })
			n.register(s.t)
			return earlier.Token(), n
		}},
	}
}

// testID returns another identity of id's network.
func testID(id identity.NodeID, service, label string) identity.NodeID {
	other, err := identity.NewNodeID(id.TrustDomain(), service, label)
	if err != nil {
		panic(err)
	}
	return other
}

func TestRepeatingIsHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		store := w.store.Contents()
		out, err := n.submit(s)
		if err != nil || out.Created || out.Statement.RID() != s.RID() || out.Applied != 2 {
			t.Errorf("got %+v, %v, want 200 of version 2", out, err)
		}
		wantUnchanged(t, store, w.store.Contents())
	})
}

func TestSubmitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, err := w.open(t) // and nobody runs it
		if err != nil {
			t.Fatal(err)
		}
		n := w.node(t, "billing", "b-1")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = c.Submit(ctx, n.record(t).Token(), catalog.Peer{Certificate: n.cert})
		wantClass(t, err, identity.Unavailable)
	})
}
