package vectors_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

func TestRecords(t *testing.T) {
	each(t, vectors.RecordsFile, func(t *testing.T, v vectors.Record) error {
		t.Helper()
		if v.TokenGzip != nil {
			v.Token = string(decompressed(t, v.TokenGzip, 2<<20))
		}
		s, err := admit(t, v)
		if err != nil {
			return err
		}
		got := &vectors.RecordWant{
			RID: s.RID(), Typ: identity.RecordTyp, Node: s.Node(), Service: s.Node().Service(), Epoch: s.Epoch(), Sequence: s.Sequence(),
			IAT: s.IssuedAt(), Exp: s.ExpiresAt(), Operator: s.ByOperator(),
		}
		if s.IsTombstone() {
			got.Typ = identity.TombstoneTyp
		}
		if d := cmp.Diff(v.Want, got, cmp.AllowUnexported(identity.NodeID{}, identity.TrustDomain{})); d != "" {
			t.Errorf("want -, got +\n%s", d)
		}
		return nil
	})
}

// admit is what a registry does at POST /v1/records, in the order of
// docs/protocol.md, without a store.
func admit(t *testing.T, v vectors.Record) (*identity.Statement, error) {
	t.Helper()
	b := bundleOf(t, v.Bundle)
	env, err := identity.ParseEnvelope(v.Token, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		return nil, err
	}
	leaf, issuer, err := identity.ParsePair([][]byte{v.Certificate, v.Issuer})
	if err != nil {
		return nil, err
	}
	cert, err := b.Verify(leaf, issuer, identity.ClientUse)
	if err != nil {
		return nil, err
	}
	if err := cert.CheckTime(at(v.Now)); err != nil {
		return nil, identity.Refuse(identity.BadCert, "in the handshake: %w", err)
	}
	if err := b.CheckRevoked(cert); err != nil {
		return nil, err
	}
	if env.Thumbprint() != cert.Thumbprint() {
		return nil, identity.Refuse(identity.Binding, "signed with another certificate than the connection's")
	}
	s, err := b.OpenStatement(env, cert)
	if err != nil {
		return nil, err
	}
	if err := s.CheckTime(at(v.Now)); err != nil {
		return nil, err
	}
	if s.ExpiresAt() <= v.Now {
		return nil, identity.Refuse(identity.BadTime, "over since %d", s.ExpiresAt())
	}
	if v.State != nil {
		if state := statementOf(t, b, *v.State); s.Compare(state) < 0 {
			return nil, identity.Refuse(identity.Superseded, "the node is at (%d, %d)", state.Epoch(), state.Sequence())
		}
	}
	return s, nil
}

func TestHeartbeats(t *testing.T) {
	each(t, vectors.HeartbeatsFile, func(t *testing.T, v vectors.Heartbeat) error {
		t.Helper()
		var r *identity.Record
		for _, signed := range v.States {
			s := statementOf(t, bundleOf(t, v.Bundle), signed)
			if s.Node() != v.Peer {
				continue // a heartbeat counts for the identity of its connection
			}
			if s.RID() != v.RID {
				return identity.Refuse(identity.Superseded, "another record is the current one")
			}
			r, _ = s.Record()
		}
		if r == nil {
			return identity.Refuse(identity.NotFound, "nothing is known of the node")
		}
		var last identity.Beat
		if v.Last != nil {
			last = *v.Last
		}
		beat, err := r.VerifyBeat(v.Beat, last, at(v.Now))
		if err != nil {
			if beat != last {
				t.Errorf("a refused heartbeat changed what counts from %v to %v", last, beat)
			}
			return err
		}
		if got := (vectors.HeartbeatWant{Beat: beat, LiveUntil: r.LiveUntil(beat.K)}); got != *v.Want {
			t.Errorf("got %v, want %v", got, *v.Want)
		}
		return nil
	})
}
