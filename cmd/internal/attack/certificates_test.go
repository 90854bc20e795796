package attack_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

// attackCertificates tries to get in with every bad certificate, to read and to
// write. What is good as something else than a caller must not get in either.
func attackCertificates(t *testing.T, g *group) {
	t.Helper()
	list := slices.DeleteFunc(read[vectors.Certificate](t, vectors.CertificatesFile), func(v vectors.Certificate) bool {
		return v.Kind == "bundle" || v.Kind == "server" || v.Kind == "client" && v.Class == ""
	})
	for _, s := range sieges(t, list, func(v vectors.Certificate) (json.RawMessage, int64, any) { return v.Bundle, v.Now, nil }) {
		now := s.now
		if now == 0 {
			now = vectorSigned
		}
		r := newTarget(t, s.bundle, now)
		before, stored := r.state(t), dumpOf(t, r.store())
		for _, v := range s.vectors {
			class := identity.BadCert // "time" is for what was signed with a certificate
			if v.Class == identity.Revoked {
				class = v.Class
			}
			g.try(t, v.Name, outcome("no connection: "+string(class)), func(t *testing.T) outcome {
				t.Helper()
				defer r.unchanged(t, &before)
				return r.breakIn(t, v)
			})
		}
		r.process.stop(t)
		unchangedStore(t, &stored, r.store())
	}
}

// breakIn asks for the head and posts a record; both must end alike.
func (r *target) breakIn(t *testing.T, v vectors.Certificate) outcome {
	t.Helper()
	read, write := r.dial(t, v.Certificate, v.Issuer), r.dial(t, v.Certificate, v.Issuer)
	got := r.handshake(t, read, read.request(t, http.MethodGet, "/v1/head", nil))
	posted := r.handshake(t, write, write.message(t, "/v1/records", discovery.JWSType, []byte("a.b.c")))
	if posted != got {
		t.Errorf("GET /v1/head came to %q, POST /v1/records to %q", got, posted)
	}
	return got
}

// attackCanonical sends every payload that is not canonical, signed as a record
// by somebody who may sign records.
func attackCanonical(t *testing.T, g *group) {
	t.Helper()
	r := newTarget(t, nil, vectorSigned+1)
	before, stored := r.state(t), dumpOf(t, r.store())
	cred := r.ca.Issue(r.ca.ID("databaseservice", "db-1"))
	for _, v := range read[vectors.Canonical](t, vectors.CanonicalFile) {
		if v.Class == "" {
			continue
		}
		g.try(t, v.Name, answered(400, identity.Malformed), func(t *testing.T) outcome {
			t.Helper()
			defer r.unchanged(t, &before)
			token := forge.Token(identity.RecordTyp, forge.KeyOf(cred.Leaf().Raw), cred.Leaf(), v.Payload)
			return r.post(t, r.dial(t, cred.Leaf().Raw, cred.Issuer().Raw), token).outcome()
		})
	}
	r.process.stop(t)
	unchangedStore(t, &stored, r.store())
}
