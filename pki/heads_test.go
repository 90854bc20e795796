package pki_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// A logbook is a registry's log with all its heads.
type logbook struct {
	credential *identity.Credential
	log        translog.Log
	heads      []discovery.Head // of versions 1, 2, …
}

func newLogbook(t *testing.T, m member) *logbook {
	t.Helper()
	cred, err := identity.NewCredential(m.signingKey, parse(t, m.SigningCertificate[0]), parse(t, m.SigningCertificate[1]))
	if err != nil {
		t.Fatal(err)
	}
	return &logbook{credential: cred}
}

// grow commits one more version, of an empty network.
func (b *logbook) grow(t *testing.T, bundle *identity.Bundle, now time.Time) {
	t.Helper()
	head := discovery.Head{
		Changes: discovery.ChangesHash([]byte("[]")), Made: now.Unix(), Network: bundle.TrustDomain().Network(), NID: bundle.NID(),
		Registry: b.credential.ID(), Version: int64(len(b.heads)) + 1,
	}
	leaf, err := head.LogLeaf()
	if err != nil {
		t.Fatal(err)
	}
	b.log, _ = b.log.Append(leaf)
	root, err := b.log.Root(head.Version)
	if err != nil {
		t.Fatal(err)
	}
	head.Log = root
	b.heads = append(b.heads, head)
}

// A headBody is the body of POST /v1/heads.
type headBody struct {
	discovery.Seal
	CRLs   identity.Hash `json:"crls"`
	Bundle identity.Hash `json:"bundle"`
}

// report is the head of a version as of now; from 0 is without consistency.
func (b *logbook) report(t *testing.T, version, from int64, now time.Time) headBody {
	t.Helper()
	signed, err := b.heads[version-1].Sign(b.credential, now)
	if err != nil {
		t.Fatal(err)
	}
	inclusion, err := b.log.Inclusion(version, version-1)
	if err != nil {
		t.Fatal(err)
	}
	body := headBody{Seal: discovery.Seal{
		Head: signed, Registry: [][]byte{b.credential.Leaf().Raw, b.credential.Issuer().Raw}, Inclusion: hashes(inclusion),
	}}
	if from != 0 {
		proof, err := b.log.Consistency(from, version)
		if err != nil {
			t.Fatal(err)
		}
		body.Consistency = &discovery.Consistency{From: from, Proof: hashes(proof)}
	}
	return body
}

func hashes(raw [][32]byte) []identity.Hash {
	list := []identity.Hash{}
	for _, h := range raw {
		list = append(list, h)
	}
	return list
}

func TestHeads(t *testing.T) {
	w := newWorld(t, "development")
	r1 := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1", Addresses: []string{"https://127.0.0.1:1"}})
	r2 := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r2"})
	node := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	bundle, err := identity.NewBundle(r1.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	book, other := newLogbook(t, r1), newLogbook(t, r1)
	for range 5 {
		book.grow(t, bundle, w.clock.Now())
		other.grow(t, bundle, w.clock.Now().Add(time.Second))
	}
	registry := w.caller(t, "development", r1.tls())
	now := w.clock.Now()
	post := func(body any) reply { return registry.do(t, "POST", "/v1/heads", body) }
	want := func(got reply, status int, version int64) {
		t.Helper()
		var answer struct {
			Version int64
			Log     identity.Hash
		}
		if err := json.Unmarshal(got.body, &answer); err != nil {
			t.Fatal(err)
		}
		var log identity.Hash
		if version != 0 {
			log = book.heads[version-1].Log
		}
		if got.status != status || answer.Version != version || answer.Log != log {
			t.Errorf("got %d %s, want %d, version %d, log %s", got.status, got.body, status, version, log)
		}
	}
	want(post(map[string]any{}), 200, 0)
	want(post(book.report(t, 2, 0, now)), 200, 2)
	want(post(book.report(t, 5, 1, now)), 409, 2) // from elsewhere
	want(post(book.report(t, 5, 2, now)), 200, 5)
	want(post(book.report(t, 2, 0, now)), 200, 5) // below: ignored
	want(post(book.report(t, 5, 0, now)), 200, 5)
	want(post(map[string]any{}), 200, 5)

	wantRefusal(t, post(other.report(t, 5, 0, now)), 503, identity.Equivocation)
	mustContain(t, w.log.String(), "event=head-conflict")
	book.grow(t, bundle, w.clock.Now())
	wantRefusal(t, post(book.report(t, 6, 0, now)), 503, identity.Equivocation) // consistency withheld
	late := book.report(t, 5, 0, now)
	w.clock.Advance(2 * time.Minute)
	wantRefusal(t, post(late), 503, identity.Stale)
	now = w.clock.Now()
	flipped := book.report(t, 5, 0, now)
	flipped.Head = flipped.Head[:len(flipped.Head)-10] + "AAAAAAAAAA"
	if got := post(flipped); got.code(t) != identity.BadSignature {
		t.Errorf("a forged head: %d %s", got.status, got.body)
	}
	// Only the registry itself reports its heads.
	wantRefusal(t, w.caller(t, "development", r2.tls()).do(t, "POST", "/v1/heads", book.report(t, 5, 0, now)), 403, identity.Binding)
	wantRefusal(t, w.caller(t, "development", node.tls()).do(t, "POST", "/v1/heads", book.report(t, 5, 0, now)), 403, identity.Denied)
	wantRefusal(t, w.caller(t, "development").do(t, "POST", "/v1/heads", book.report(t, 5, 0, now)), 401, identity.BadCert)

	// Others are told the mark while it is fresh.
	want(post(book.report(t, 5, 0, now)), 200, 5)
	w.clock.Advance(5 * time.Minute)
	if m := w.mark(t); m == nil || *m != book.heads[4].Mark() {
		t.Errorf("mark handed out: %+v", m)
	}
	w.clock.Advance(time.Second)
	if m := w.mark(t); m != nil {
		t.Errorf("a mark older than 5 min was handed out: %+v", m)
	}
	want(post(map[string]any{}), 200, 5) // of whatever age, for the registry itself
}

// mark returns that of the first registry in the bundle.
func (w *world) mark(t *testing.T) *identity.RegistryMark {
	t.Helper()
	var bundle identity.BundleDocument
	if err := json.Unmarshal(w.caller(t, "development").do(t, "GET", "/v1/bundle", nil).body, &bundle); err != nil {
		t.Fatal(err)
	}
	return bundle.Registries[0].Mark
}
