package registry_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/http"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// What only a registry refuses, at both sides of the edge.
func TestStatementsAtTheEdge(t *testing.T) {
	db := func(l *lab) *identity.Credential { return l.ca.Issue(l.ca.ID("databaseservice", "db-1")) }
	byOperator := func(after int64) func(*lab) *identity.Statement {
		return func(l *lab) *identity.Statement {
			return l.tombstone(l.ca.Issue(l.ca.ID("operator", "olga")), func(s *identity.Tombstone) {
				s.Node, s.Service, s.Sequence = l.ca.ID("databaseservice", "db-1"), "databaseservice", identity.OperatorSequence
				s.IAT, s.Exp, s.Epoch = s.IAT+60, s.Exp+60, s.Epoch+after
			})
		}
	}
	withLeafOf := func(size int) func(*lab) *identity.Statement {
		return func(l *lab) *identity.Statement { return l.record(padded(l, size), 1) }
	}
	rows := map[string]struct {
		sign  func(*lab) *identity.Statement
		class identity.Code // "": accepted
	}{
		"an operator's epoch as late as clocks may differ": {byOperator(60), ""},
		"an operator's epoch that is later":                {byOperator(61), identity.BadTime},
		"a certificate of 2 KiB":                           {withLeafOf(discovery.MaxLeafBytes), ""},
		"a certificate of a byte more":                     {withLeafOf(discovery.MaxLeafBytes + 1), identity.Limits},
		"a record that ends in a second":                   {func(l *lab) *identity.Statement { return l.record(db(l), 1, ending(1)) }, ""},
		"a record that ends now": {func(l *lab) *identity.Statement {
			s := l.record(db(l), 1, ending(1))
			l.clock.Add(1)
			return s
		}, identity.BadTime},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, bundleWith(t), vectorSigned)
			l.settle()
			s := row.sign(l)
			before := l.holdings()
			got := l.dial(s.Certificate().Leaf().Raw, s.Certificate().Issuer().Raw).postStatement(s.Token())
			if row.class == "" {
				want(t, got, http.StatusCreated)
				return
			}
			refused(t, got, statuses[row.class], row.class)
			l.unchanged(before)
		})
	}
}

// ending lets a record end so many seconds after it was signed.
func ending(seconds int64) func(*identity.Record) {
	return func(r *identity.Record) { r.Exp = r.IAT + seconds }
}

// padded returns a credential whose certificate has exactly so many bytes.
func padded(l *lab, size int) *identity.Credential {
	l.t.Helper()
	id := l.ca.ID("databaseservice", "db-1")
	issue := func(value []byte) *identity.Credential {
		return l.ca.Issue(id, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 25, 1}, Value: value}}
		})
	}
	overhead := len(issue(make([]byte, 1000)).Leaf().Raw) - 1000
	for try := range 64 { // the signature's length differs by a byte or two
		cred := issue(bytes.Repeat([]byte{byte(try)}, size-overhead-2+try%5))
		if len(cred.Leaf().Raw) == size {
			return cred
		}
	}
	l.t.Fatalf("no certificate of %d bytes", size)
	return nil
}

// An operator's tombstones, however many, leave with the operator.
func TestRevokedOperatorWhoRemovedTwice(t *testing.T) {
	l := newLab(t, bundleWith(t), vectorSigned)
	l.settle()
	db, olga := l.ca.Issue(l.ca.ID("databaseservice", "db-1")), l.ca.Issue(l.ca.ID("operator", "olga"))
	record := l.record(db, 1)
	l.hold(vectors.Signed{Token: record.Token(), Certificate: db.Leaf().Raw, Issuer: db.Issuer().Raw})
	for more := range int64(2) {
		s := l.tombstone(olga, func(s *identity.Tombstone) {
			s.Node, s.Service, s.Sequence, s.Epoch = db.ID(), "databaseservice", identity.OperatorSequence, s.Epoch+more
		})
		l.hold(vectors.Signed{Token: s.Token(), Certificate: olga.Leaf().Raw, Issuer: olga.Issuer().Raw})
	}
	listed(t, l.discover("databaseservice"), db.ID(), record.RID(), false)
	l.trust(bundleWith(t, l.ca.CRL(1, olga.Leaf())))
	l.rest()
	listed(t, l.discover("databaseservice"), db.ID(), record.RID(), true)
}

// How long a node is remembered follows from all that was ever seen of it.
func TestRevokedOperatorWhoRemovedNobody(t *testing.T) {
	l := newLab(t, bundleWith(t), vectorSigned)
	l.settle()
	db, olga := l.ca.Issue(l.ca.ID("databaseservice", "db-1")), l.ca.Issue(l.ca.ID("operator", "olga"))
	removal := l.tombstone(olga, func(s *identity.Tombstone) {
		s.Node, s.Service, s.Sequence, s.IAT, s.Exp = db.ID(), "databaseservice", identity.OperatorSequence, s.IAT+60, s.Exp+60
	})
	l.hold(vectors.Signed{Token: removal.Token(), Certificate: olga.Leaf().Raw, Issuer: olga.Issuer().Raw})
	l.trust(bundleWith(t, l.ca.CRL(1, olga.Leaf())))
	record := l.record(db, 1)
	l.hold(vectors.Signed{Token: record.Token(), Certificate: db.Leaf().Raw, Issuer: db.Issuer().Raw})
	listed(t, l.discover("databaseservice"), db.ID(), record.RID(), true)
	if got := l.store.Contents().Nodes[db.ID()].GreatestIAT; got != removal.IssuedAt() {
		t.Errorf("the greatest iat is %d, want %d", got, removal.IssuedAt())
	}
}

// Nothing is done for a caller who has seen a later version than there is.
func TestPostsOfCallersWhoAreAhead(t *testing.T) {
	for path, mediaType := range map[string]string{"/v1/records": discovery.JWSType, "/v1/heartbeats": "application/json"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel() // the registry waits for 2 s
			l := newLab(t, bundleWith(t), vectorSigned)
			l.settle()
			db := l.ca.Issue(l.ca.ID("databaseservice", "db-1"))
			record := l.record(db, 1)
			body := []byte(record.Token())
			if mediaType != discovery.JWSType {
				body = []byte(beatBody(record.RID(), 1, record.RID()))
			}
			before, caller := l.holdings(), l.dial(db.Leaf().Raw, db.Issuer().Raw)
			got := caller.mustSend(caller.message(path+"?from=99", mediaType, body))
			refused(t, got, http.StatusServiceUnavailable, identity.Unavailable)
			if p := got.problem(t); p.Head != l.catalog.Snapshot().HeadToken() {
				t.Error("the caller is not told the newest head")
			}
			l.unchanged(before)
		})
	}
}

func TestHeartbeatsWithoutRecordID(t *testing.T) {
	l := newLab(t, bundleWith(t), vectorSigned)
	l.settle()
	body := fmt.Sprintf(`{"k":1,"token":%q}`, identity.Hash{1})
	refused(t, l.neighbour.post("/v1/heartbeats", "application/json", []byte(body)), http.StatusBadRequest, identity.Malformed)
}
