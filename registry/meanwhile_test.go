package registry_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A slowBody is a body of which the first byte is asked for only when the
// registry has let the caller in: [resident.expect] sees to that.
type slowBody struct {
	io.Reader
	asked func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.asked()
	return b.Reader.Read(p)
}

// expect is a message whose body follows once the registry asks for it, after
// meanwhile has happened (RFC 9110 section 10.1.1).
func (r *resident) expect(token string, meanwhile func()) *http.Request {
	r.t.Helper()
	req := r.message("/v1/records", discovery.JWSType, nil)
	req.Header.Set("Expect", "100-continue")
	req.GetBody, req.ContentLength = nil, int64(len(token))
	req.Body = io.NopCloser(&slowBody{strings.NewReader(token), sync.OnceFunc(meanwhile)})
	return req
}

// The caller's certificate is judged before the body is read, the statement
// before it waits for its version. What changes in between counts.
func TestStatementsThatAreOvertaken(t *testing.T) {
	revoke := func(l *lab, cred *identity.Credential) { l.trust(bundleWith(l.t, l.ca.CRL(1, cred.Leaf()))) }
	over := func(after int64) func(*lab, *identity.Credential) {
		return func(l *lab, _ *identity.Credential) { l.clock.Store(after) }
	}
	certEnd := int64(vectorIssued + 86_400 + 61)
	rows := map[string]struct {
		tombstone bool
		change    func(*lab, *identity.Credential)
		waiting   bool // the change comes when the statement was admitted
		class     identity.Code
	}{
		"revoked before the body":                        {change: revoke, class: identity.Revoked},
		"over before the body":                           {change: over(vectorSigned + 3600), class: identity.BadTime},
		"a tombstone whose certificate is over by then":  {tombstone: true, change: over(certEnd), class: identity.BadCert},
		"revoked before its version":                     {change: revoke, waiting: true, class: identity.Revoked},
		"over before its version":                        {change: over(vectorSigned + 3600), waiting: true, class: identity.BadTime},
		"a tombstone that is revoked before its version": {tombstone: true, change: revoke, waiting: true, class: identity.Revoked},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, bundleWith(t), vectorSigned)
			l.settle()
			cred := l.ca.Issue(l.ca.ID("databaseservice", "db-1"))
			caller := l.dial(cred.Leaf().Raw, cred.Issuer().Raw)
			before := l.holdings()
			change := func() { row.change(l, cred) }
			meanwhile := change
			if row.waiting {
				meanwhile = func() { l.admitting.Store(&change) }
			}
			got := caller.mustSend(caller.expect(l.sign(cred, row.tombstone).Token(), meanwhile))
			refused(t, got, statuses[row.class], row.class)
			after := l.holdings()
			if d := cmp.Diff(before.Services, after.Services); d != "" {
				t.Errorf("before -, after +\n%s", d)
			}
			if len(after.Store.Objects) != 1 || len(after.Store.Nodes) != 1 {
				t.Errorf("the store holds %d statements of %d nodes, not just the neighbour's", len(after.Store.Objects), len(after.Store.Nodes))
			}
		})
	}
}

// sign returns a statement of a node that a registry takes now: a tombstone or
// a record for an hour.
func (l *lab) sign(cred *identity.Credential, tombstone bool) *identity.Statement {
	l.t.Helper()
	if !tombstone {
		return l.record(cred, 1)
	}
	return l.tombstone(cred)
}

// tombstone returns the end of a node, signed now.
func (l *lab) tombstone(cred *identity.Credential, edits ...func(*identity.Tombstone)) *identity.Statement {
	l.t.Helper()
	now := l.clock.Load()
	ts := identity.Tombstone{
		Aud: identity.Audience(l.ca.Bundle().NID()), Epoch: now, IAT: now, Exp: now + 86_520, Network: l.ca.TD.Network(),
		Node: cred.ID(), Sequence: 2, Service: cred.ID().Service(), V: 1,
	}
	for _, edit := range edits {
		edit(&ts)
	}
	s, err := identity.SignTombstone(ts, cred, l.ca.Bundle())
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// record returns a record for some hours.
func (l *lab) record(cred *identity.Credential, hours int, edits ...func(*identity.Record)) *identity.Statement {
	l.t.Helper()
	chain, err := identity.NewChain(cred.ID(), hours)
	if err != nil {
		l.t.Fatal(err)
	}
	now := l.clock.Load()
	r := identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.2", Name: "default", Port: 80, Protocol: "tcp"}},
		Epoch:     now, Sequence: 1, IAT: now, Exp: now + int64(hours)*3600,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: int64(hours), Interval: 3600},
		Metadata:  map[string]string{}, State: identity.Active,
	}
	for _, edit := range edits {
		edit(&r)
	}
	s, err := identity.SignRecord(r, cred, l.ca.Bundle())
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}
