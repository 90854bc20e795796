package identity_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestRefusesTombstone(t *testing.T) {
	t0 := now.Unix()
	n := newNetwork(t, "databaseservice", "db-1")
	registry, client, operator := n.as(t, "registry", "one"), n.as(t, "client", "alice"), n.as(t, "operator", "olga")
	one := func(path string, value any) edits { return edits{set(path, value)} }
	removal := edits{set("node", n.id.String()), set("service", n.id.Service()), set("sequence", 1<<53-1)}
	rows := []struct {
		name   string
		signer *network
		edit   edits
		want   identity.Code
	}{
		{"accepts a node's own", n, nil, ""},
		{"accepts a registry's own", registry, nil, ""},
		{"accepts an operator's", operator, removal, ""},
		{"accepts the last sequence of a node", n, one("sequence", 1<<53-2), ""},
		{"accepts the first epoch and sequence", n, edits{set("epoch", 1), set("sequence", 1)}, ""},
		{"accepts an epoch 60 s later than iat", n, one("epoch", t0+60), ""},
		{"refuses another version", n, one("v", 2), identity.Malformed},
		{"refuses an unknown member", n, one("state", "active"), identity.Malformed},
		{"refuses a missing member", n, one("service", absent{}), identity.Malformed},
		{"refuses null", n, one("epoch", nil), identity.Malformed},
		{"refuses a fraction", n, one("epoch", raw("1.5")), identity.Malformed},
		{"refuses an upper-case network", n, one("network", "Production"), identity.Malformed},
		{"refuses an upper-case service", n, one("service", "DatabaseService"), identity.Malformed},
		{"refuses an upper-case node", n, one("node", "spiffe://production.netget.internal/databaseservice/DB-1"), identity.Malformed},
		{"refuses an audience without prefix", n, one("aud", n.b.NID().String()), identity.Malformed},
		{"refuses epoch 0", n, one("epoch", 0), identity.Limits},
		{"refuses sequence 0", n, one("sequence", 0), identity.Limits},
		{"refuses an operator's sequence by a node", n, one("sequence", 1<<53-1), identity.Limits},
		{"refuses another sequence by an operator", operator, append(removal[:2:2], set("sequence", 5)), identity.Limits},
		{"refuses a longer life", n, one("exp", t0+86521), identity.BadTime},
		{"refuses a shorter life", n, one("exp", t0+86519), identity.BadTime},
		{"refuses an epoch later than iat by 61 s", n, one("epoch", t0+61), identity.BadTime},
		{"refuses one from the future", n, edits{set("iat", t0+61), set("exp", t0+61+86520)}, identity.BadTime},
		{"refuses one that is over", n, edits{set("iat", t0-86580), set("exp", t0-60), set("epoch", t0-86580)}, identity.BadTime},
		{"refuses one signed before the certificate", n, edits{set("iat", t0-121), set("exp", t0-121+86520), set("epoch", t0-121)}, identity.BadTime},
		{"refuses another network's name", n, one("network", "development"), identity.WrongNetwork},
		{"refuses another nid", n, one("aud", "netget:"+identity.NID(testca.New("production", "b", now).Root).String()), identity.WrongNetwork},
		{"refuses a node of another network", operator, append(removal[1:], set("node", "spiffe://development.netget.internal/databaseservice/db-1")), identity.Denied},
		{"refuses another node's", n, one("node", "spiffe://production.netget.internal/databaseservice/db-2"), identity.Denied},
		{"refuses a service's by its registry", registry, removal[:2], identity.Denied},
		{"refuses another service than the node's", n, one("service", "billing"), identity.Denied},
		{"refuses a client's own", client, nil, identity.Denied},
		{"refuses an operator's own", operator, one("sequence", 1<<53-1), identity.Denied},
		{"refuses an operator's against a client", operator, edits{set("node", client.id.String()), set("service", "client"), set("sequence", 1<<53-1)}, identity.Denied},
		{"refuses an operator's against an operator", operator, edits{set("node", "spiffe://production.netget.internal/operator/otto"), set("sequence", 1<<53-1)}, identity.Denied},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			doc := row.signer.tombstone()
			for _, edit := range row.edit {
				edit(doc)
			}
			s, err := row.signer.open(row.signer.token(identity.TombstoneTyp, jcs(doc)))
			if identity.CodeOf(err) != row.want {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if err == nil && (!s.IsTombstone() || s.ByOperator() != (row.signer == operator)) {
				t.Errorf("got IsTombstone %v, ByOperator %v", s.IsTombstone(), s.ByOperator())
			}
		})
	}
	t.Run("refuses a record's payload", func(t *testing.T) {
		if _, err := n.open(n.token(identity.TombstoneTyp, jcs(n.record()))); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("got %v, want %s", err, identity.Malformed)
		}
	})
}

// A tombstone may outlive the certificate that it was signed with.
func TestTombstoneOutlivesItsCertificate(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	short := func(end time.Duration) *network {
		m := n.as(t, "databaseservice", "db-1")
		m.cred = n.ca.IssueKey(n.id, m.key, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(-time.Minute), now.Add(end)
		})
		cert, err := m.b.Verify(m.cred.Leaf(), m.cred.Issuer(), identity.ClientUse)
		if err != nil {
			t.Fatal(err)
		}
		m.cert = cert
		return m
	}
	m := short(time.Minute)
	s, err := m.open(m.token(identity.TombstoneTyp, jcs(m.tombstone())))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckTime(now.Add(24 * time.Hour)); err != nil {
		t.Errorf("a day later: %v", err)
	}
	doc := m.tombstone()
	late := now.Unix() + 121
	doc["iat"], doc["exp"] = late, late+86520
	if _, err := m.open(m.token(identity.TombstoneTyp, jcs(doc))); identity.CodeOf(err) != identity.BadTime {
		t.Errorf("signed after the certificate's end: got %v, want %s", err, identity.BadTime)
	}
}

func TestSignTombstone(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	s, err := n.open(n.token(identity.RecordTyp, jcs(n.record())))
	if err != nil {
		t.Fatal(err)
	}
	early := identity.TombstoneFor(s, n.b.NID(), now.Unix()-30)
	if early.IAT != s.IssuedAt() || early.Exp != s.IssuedAt()+86520 || early.Sequence != 2 || early.Epoch != s.Epoch() {
		t.Errorf("the tombstone is %+v; its iat must not shrink", early)
	}
	gone, err := identity.SignTombstone(early, n.cred, n.b)
	if err != nil {
		t.Fatal(err)
	}
	if gone.Compare(s) <= 0 || gone.Node() != n.id || gone.IssuedAt() != early.IAT || gone.ExpiresAt() != early.Exp {
		t.Error("the tombstone does not follow the record")
	}
	if _, ok := gone.Record(); ok {
		t.Error("a tombstone passes for a record")
	}
	other := n.as(t, "databaseservice", "db-2")
	if _, err := identity.SignTombstone(early, other.cred, n.b); identity.CodeOf(err) != identity.Denied {
		t.Errorf("another node's credential: got %v, want %s", err, identity.Denied)
	}
}

func TestSignRecordRefusesItsOwnMistakes(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	good, _ := newRecord(t, n.id)
	rows := []struct {
		name string
		edit func(*identity.Record)
		want identity.Code
	}{
		{"no metadata is no mistake", func(r *identity.Record) { r.Metadata = nil }, ""},
		{"an address that is none", func(r *identity.Record) { r.Endpoints[0].Address = "X" }, identity.Malformed},
		{"metadata that is not UTF-8", func(r *identity.Record) { r.Metadata = map[string]string{"zone": "\xff"} }, identity.Malformed},
		{"metadata with a newline", func(r *identity.Record) { r.Metadata = map[string]string{"zone": "a\nb"} }, identity.Malformed},
		{"an end after the certificate's", func(r *identity.Record) { r.IAT += 30; r.Exp = r.IAT + 86400; r.Heartbeat.Interval = 3600 }, identity.BadTime},
		{"more than fits an object", func(r *identity.Record) {
			for i := range 7 {
				e := r.Endpoints[0]
				e.Name, e.Address = string(rune('a'+i)), longName()
				r.Endpoints = append(r.Endpoints, e)
			}
			for i := range 4 {
				r.Metadata[string(rune('a'+i))] = string(make1000())
			}
		}, identity.Limits},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := good
			r.Endpoints = append([]identity.Endpoint{}, good.Endpoints...)
			row.edit(&r)
			if _, err := identity.SignRecord(r, n.cred, n.b); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
	stranger := newNetwork(t, "databaseservice", "db-1")
	stranger.ca = testca.New("production", "b", now)
	if _, err := identity.SignRecord(good, stranger.ca.Issue(n.id), n.b); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("a credential of another root: got %v, want %s", err, identity.BadCert)
	}
}

func longName() string {
	name := ""
	for range 125 {
		name += "a."
	}
	return name + "aaa"
}

func make1000() []byte {
	b := make([]byte, 1000)
	for i := range b {
		b[i] = '"' // escaped, so that it takes two bytes
	}
	return b
}

// Who holds a certificate of another use or network cannot make statements.
func TestOpenStatementRefusesTheSigner(t *testing.T) {
	n := newNetwork(t, "registry", "one")
	key := testca.Key("a/signing/" + n.id.String()) // as testca chooses it
	signing := n.ca.IssueSigning(n.id)
	cert, err := n.b.Verify(signing.Leaf(), signing.Issuer(), identity.SigningUse)
	if err != nil {
		t.Fatal(err)
	}
	env, err := identity.ParseEnvelope(forge(header("ES256", "netget-record+jws", signing.Leaf()), jcs(n.record()), key), identity.RecordTyp)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.b.OpenStatement(env, cert); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("a registry's signing certificate: got %v, want %s", err, identity.BadCert)
	}
	good, err := identity.ParseEnvelope(n.token(identity.RecordTyp, jcs(n.record())), identity.RecordTyp)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*testca.Authority{
		"another network": testca.New("development", "a", now), "another root": testca.New("production", "b", now),
	} {
		if _, err := other.Bundle().OpenStatement(good, n.cert); identity.CodeOf(err) != identity.BadCert {
			t.Errorf("a certificate verified for %s: got %v, want %s", name, err, identity.BadCert)
		}
	}
}
