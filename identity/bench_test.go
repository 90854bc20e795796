package identity_test

import (
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// keyed returns a credential of each kind of key, with its certificate.
func keyed(b *testing.B, edwards bool) (*network, *identity.Credential) {
	b.Helper()
	n := newNetwork(b, "databaseservice", "db-1")
	key := newKey()
	if edwards {
		key = testca.EdKey("db-1")
	}
	n.cred = n.ca.IssueKey(n.id, key)
	cert, err := n.b.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse)
	if err != nil {
		b.Fatal(err)
	}
	n.cert = cert
	return n, n.cred
}

func benchRecord(b *testing.B, id identity.NodeID) identity.Record {
	b.Helper()
	chain, err := identity.NewChain(id, 1440)
	if err != nil {
		b.Fatal(err)
	}
	return identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     now.Unix(), IAT: now.Unix(), Exp: now.Unix() + 6*3600, Sequence: 1,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 1440, Interval: 15},
		Metadata:  map[string]string{"zone": "a", "version": "1.2.3"},
		State:     identity.Active,
	}
}

func BenchmarkSeal(b *testing.B) {
	for name, edwards := range map[string]bool{"ES256": false, "EdDSA": true} {
		b.Run(name, func(b *testing.B) {
			n, cred := keyed(b, edwards)
			r := benchRecord(b, n.id)
			r.Aud, r.Network, r.Node, r.Service, r.V = identity.Audience(n.b.NID()), "production", n.id, n.id.Service(), 1
			for b.Loop() {
				if _, err := identity.Seal(identity.RecordTyp, r, cred); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, edwards := range map[string]bool{"ES256": false, "EdDSA": true} {
		b.Run(name, func(b *testing.B) {
			n, cred := keyed(b, edwards)
			s, err := identity.SignRecord(benchRecord(b, n.id), cred, n.b)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := n.open(s.Token()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyChain(b *testing.B) {
	n := newNetwork(b, "databaseservice", "db-1")
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh := n.ca.Bundle()
			b.StartTimer()
			if _, err := fresh.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			if _, err := n.b.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyBeat(b *testing.B) {
	n := newNetwork(b, "databaseservice", "db-1")
	chain, err := identity.NewChain(n.id, 1440)
	if err != nil {
		b.Fatal(err)
	}
	r := &identity.Record{Node: n.id, IAT: now.Unix(), Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 1440, Interval: 15}}
	for name, from := range map[string]int64{"next": 1439, "whole chain": 0} {
		b.Run(name, func(b *testing.B) {
			token, _ := chain.Token(1440)
			var last identity.Beat
			if known, ok := chain.Token(from); ok {
				last = identity.Beat{K: from, Token: known}
			}
			for b.Loop() {
				if _, err := r.VerifyBeat(identity.Beat{K: 1440, Token: token}, last, now.Add(24*time.Hour)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
