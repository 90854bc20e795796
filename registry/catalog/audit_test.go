package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/registry/catalog"
)

// diary returns the audit entries of the log, without times and reasons.
func (w *world) diary(tb testing.TB) []audit.Entry {
	tb.Helper()
	var list []audit.Entry
	for line := range strings.Lines(w.log.String()) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			tb.Fatal(err)
		}
		if e.Event == "" {
			continue // an event of the ordinary log
		}
		if e.Time.IsZero() || e.Network != "production" {
			tb.Errorf("an entry without time or network: %s", line)
		}
		e.Time, e.Network, e.Reason = time.Time{}, "", ""
		list = append(list, e)
	}
	return list
}

// Everything that happens to a node is one entry with who did it, to which node,
// by which statement, in which version.
func TestEveryChangeOfANodeIsOneAuditEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		gone, removed, over, revoked := w.node(t, "billing", "gone"), w.node(t, "billing", "removed"), w.node(t, "billing", "over"), w.node(t, "billing", "revoked")
		operator := w.node(t, "operator", "o-1")
		s := gone.register(t)
		if _, err := gone.submit(s); err != nil {
			t.Fatal(err)
		}
		tombstone := gone.tombstone(t, s)
		gone.put(t, tombstone)
		hidden := removed.register(t)
		removal := operator.removal(t, hidden)
		operator.put(t, removal)
		r := revoked.register(t)
		w.revoke(t, 2, revoked.cert)
		settled()
		short := over.record(t, func(r *identity.Record) { r.Exp = r.IAT + 60; r.Heartbeat.Count = 240 })
		over.put(t, short)
		time.Sleep(61 * time.Second)
		settled()

		entry := func(event audit.Event, actor, node *node, s *identity.Statement, version int64) audit.Entry {
			return audit.Entry{Event: event, Actor: actor.id().String(), Node: node.id().String(), RID: s.RID().String(), Version: version}
		}
		itself := w.src.Identity().ID().String()
		expired, dropped := entry(audit.Expired, over, over, short, 8), entry(audit.Revoked, revoked, revoked, r, 6)
		expired.Actor, dropped.Actor = itself, itself
		want := []audit.Entry{
			entry(audit.Registered, gone, gone, s, 2), entry(audit.Repeated, gone, gone, s, 0), entry(audit.Tombstoned, gone, gone, tombstone, 3),
			entry(audit.Registered, removed, removed, hidden, 4), entry(audit.OperatorTombstone, operator, removed, removal, 5),
			entry(audit.Registered, revoked, revoked, r, 6), dropped, entry(audit.Registered, over, over, short, 8), expired,
		}
		want[6].Version, want[8].Version = 7, 9
		if diff := cmp.Diff(want, w.diary(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// Heartbeats that no honest node sends are in the audit log; those that only
// come too late for their record are not, unless two processes must be sending
// them.
func TestHeartbeatsInTheAuditLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		first := n.register(t)
		token, _ := n.chain.Token(1)
		time.Sleep(time.Minute)
		before := len(w.diary(t))
		for range 2 {
			if _, err := n.try(first.RID(), identity.Beat{K: 2, Token: token}); identity.CodeOf(err) != identity.BadSignature {
				t.Fatalf("a wrong token: %v", err)
			}
		}
		next := n.record(t, func(r *identity.Record) { r.Sequence++ }) // a mere renewal
		n.put(t, next)
		if _, err := n.try(first.RID(), identity.Beat{K: 1, Token: token}); identity.CodeOf(err) != identity.Superseded {
			t.Fatalf("a late heartbeat: %v", err)
		}
		other := n.record(t, func(r *identity.Record) { r.Epoch++ }) // another process
		n.put(t, other)
		for range 2 {
			if _, err := n.try(next.RID(), identity.Beat{K: 1, Token: token}); identity.CodeOf(err) != identity.Superseded {
				t.Fatalf("the heartbeat of the first process: %v", err)
			}
		}
		var got []audit.Entry
		for _, e := range w.diary(t)[before:] {
			if e.Event != audit.Registered {
				got = append(got, e)
			}
		}
		id := n.id().String()
		wrong := audit.Entry{Event: audit.HeartbeatRefused, Actor: id, Node: id, RID: first.RID().String(), Code: identity.BadSignature}
		want := []audit.Entry{wrong, wrong, {Event: audit.IdentityShared, Actor: id, Node: id, RID: next.RID().String(), Code: identity.Superseded}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A node that posts the same again and again, or what is refused, cannot push
// the others out of the diary; its next entry says how many are missing.
func TestOneNodeCannotFillTheDiary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		loud, quiet := w.node(t, "billing", "loud"), w.node(t, "billing", "quiet")
		s := loud.register(t)
		count := func() (repeated, refused int, last audit.Entry) {
			for _, e := range w.diary(t) {
				switch {
				case e.Event == audit.Repeated:
					repeated, last = repeated+1, e
				case e.Event == audit.StatementRefused && e.Actor == loud.cert.ID().String():
					refused, last = refused+1, e
				}
			}
			return repeated, refused, last
		}
		for range 40 {
			if _, err := loud.submit(s); err != nil {
				t.Fatal(err)
			}
			if _, err := w.catalog.Submit(t.Context(), "no statement", catalog.Peer{Certificate: loud.cert}); identity.CodeOf(err) != identity.Malformed {
				t.Fatal(err)
			}
		}
		if repeated, refused, _ := count(); repeated+refused != 50 {
			t.Errorf("80 statements made %d + %d entries, want 50", repeated, refused)
		}
		quiet.register(t)
		if _, err := quiet.submit(quiet.register(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if _, err := loud.submit(s); err != nil {
			t.Fatal(err)
		}
		if _, _, last := count(); last.LeftOut != 30 {
			t.Errorf("after 5 s the entry says that %d were left out, want 30", last.LeftOut)
		}
	})
}
