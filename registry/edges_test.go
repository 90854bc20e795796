package registry_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// What only a registry refuses, at both sides of the edge.
func TestStatementsAtTheEdge(t *testing.T) {
	db := func(l *lab) *identity.Credential { return l.ca.Issue(l.ca.ID("databaseservice", "db-1")) }
	byOperator := func(after int64) func(*testing.T, *lab) *identity.Statement {
		return func(_ *testing.T, l *lab) *identity.Statement {
			return l.tombstone(l.ca.Issue(l.ca.ID("operator", "olga")), func(s *identity.Tombstone) {
				s.Node, s.Service, s.Sequence = l.ca.ID("databaseservice", "db-1"), "databaseservice", identity.OperatorSequence
				s.IAT, s.Exp, s.Epoch = s.IAT+60, s.Exp+60, s.Epoch+after
			})
		}
	}
	withLeafOf := func(size int) func(*testing.T, *lab) *identity.Statement {
		return func(t *testing.T, l *lab) *identity.Statement { return l.record(padded(t, l, size), 1) }
	}
	rows := map[string]struct {
		sign  func(*testing.T, *lab) *identity.Statement
		class identity.Code // "": accepted
	}{
		"an operator's epoch as late as clocks may differ": {byOperator(60), ""},
		"an operator's epoch that is later":                {byOperator(61), identity.BadTime},
		"a certificate of 2 KiB":                           {withLeafOf(discovery.MaxLeafBytes), ""},
		"a certificate of a byte more":                     {withLeafOf(discovery.MaxLeafBytes + 1), identity.Limits},
		"a record that ends in a second":                   {func(_ *testing.T, l *lab) *identity.Statement { return l.record(db(l), 1, ending(1)) }, ""},
		"a record that ends now": {func(_ *testing.T, l *lab) *identity.Statement {
			s := l.record(db(l), 1, ending(1))
			l.clock.Add(1)
			return s
		}, identity.BadTime},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, bundleWith(t), vectorSigned)
			l.settle()
			s := row.sign(t, l)
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
func padded(t *testing.T, l *lab, size int) *identity.Credential {
	t.Helper()
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
	t.Fatalf("no certificate of %d bytes", size)
	return nil
}
