package attack_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

const (
	vectorFolder = "../../../testdata/vectors"
	vectorSigned = 1_795_348_800 // when the statements of all vectors were signed
)

// A target is netget-registry serve for the vectors' network, on a fresh store,
// with a clock that stands where the test puts it.
type target struct {
	ca      *testca.Authority
	clock   *scripttest.Clock
	now     int64
	home    string
	process *program
	reader  *identity.Source // a client of the network
	watcher *caller          // over whose connection the state is looked at
	closed  bool             // the bundle has revoked the issuer: nobody is let in
	posts   map[string]int   // of each caller, since its budget was whole
}

// newTarget starts a registry under the bundle of a vector; none is the
// network's own, without revocation lists.
func newTarget(t *testing.T, bundle json.RawMessage, now int64, edits ...func(*identity.Identity)) *target {
	t.Helper()
	dir := t.TempDir()
	r := &target{
		ca: forge.Authority(), home: filepath.Join(dir, "home"), now: now, posts: map[string]int{},
		clock: scripttest.NewClock(t, filepath.Join(dir, "clock")),
	}
	for range 100 {
		r.ca.Template(r.ca.ID("web", "none")) // serial numbers that the vectors use, some to revoke them
	}
	r.reader = r.ca.Source(r.ca.ID("client", "reader"))
	r.clock.Stop(now)
	i := r.identity(t, bundle)
	for _, edit := range edits {
		edit(i)
	}
	if err := identity.NewFolder(filepath.Join(r.home, "registry", "identity")).Create(i, false); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	if r.closed = bundle != nil && r.letsNobodyIn(t, bundle); !r.closed {
		r.settle(t)
	}
	return r
}

// start starts the registry, or starts it again on its store.
func (r *target) start(t *testing.T) {
	t.Helper()
	r.process = start(t, []string{r.clock.Env()}, "netget-registry", "serve", "-o", "json", "--home", r.home,
		"--address", "127.0.0.1:0", "--ops-address", "off", "--log-level", "debug",
		"--read-rate", "1000000", "--read-burst", "1000000")
	r.posts = map[string]int{}
	watcher := r.ca.Issue(r.ca.ID("client", "watcher"), longLived)
	r.watcher = r.newCaller(t, watcher.TLS())
}

// at puts the clock to a moment.
func (r *target) at(now int64) {
	r.now = now
	r.clock.Stop(now)
}

// store is where the registry keeps its state.
func (r *target) store() string { return filepath.Join(r.home, "registry", "registry.db") }

// identity returns the registry's own, with keys that can be written to files;
// it outlives everything in the vectors.
func (r *target) identity(t *testing.T, bundle json.RawMessage) *identity.Identity {
	t.Helper()
	id := r.ca.ID("registry", "reg-1")
	i := r.ca.Identity(id)
	i.Credential = r.ca.IssueKey(id, newKey(t), longLived)
	i.Signing = signingCredential(t, r.ca, id)
	if bundle == nil {
		return i
	}
	b, err := identity.ParseBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	i.Bundle = b
	return i
}

// letsNobodyIn reports whether the issuer of all nodes is revoked or not in time.
func (r *target) letsNobodyIn(t *testing.T, bundle json.RawMessage) bool {
	t.Helper()
	b, err := identity.ParseBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := b.Verify(r.ca.Leaf(r.ca.ID("web", "any"), newKey(t).Public(), longLived), r.ca.NodeIssuer, identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	return b.CheckRevoked(cert) != nil || cert.CheckTime(time.Unix(r.now, 0)) != nil
}

func longLived(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(10 * 24 * time.Hour) }

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signingCredential(t *testing.T, ca *testca.Authority, id identity.NodeID) *identity.Credential {
	t.Helper()
	key, leaf := newKey(t), ca.Template(id)
	leaf.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 25, 610837421, 1}}
	longLived(leaf)
	cred, err := identity.NewCredential(key, ca.SignWithRegistryIssuer(leaf, key.Public()), ca.RegistryIssuer)
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// settle has a node of another service registered, so that there is something
// to damage.
func (r *target) settle(t *testing.T) {
	t.Helper()
	cred := r.ca.Issue(r.ca.ID("web", "neighbour"), longLived)
	chain, err := identity.NewChain(cred.ID(), 5760)
	if err != nil {
		t.Fatal(err)
	}
	s, err := identity.SignRecord(identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.9", Name: "default", Port: 80, Protocol: "tcp"}},
		Epoch:     r.now, IAT: r.now, Exp: r.now + 24*3600, Sequence: 1,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 5760, Interval: 15},
		Metadata:  map[string]string{}, State: identity.Active,
	}, cred, r.ca.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	r.hold(t, vectors.Signed{Token: s.Token(), Certificate: cred.Leaf().Raw, Issuer: cred.Issuer().Raw})
}

// hold has a signed statement of the vectors accepted, as the state of its node.
func (r *target) hold(t *testing.T, s vectors.Signed) *caller {
	t.Helper()
	c := r.dial(t, s.Certificate, s.Issuer)
	if got := r.post(t, c, s.Token); got.status != 201 {
		t.Fatalf("the state was not taken: %d %s", got.status, got.body)
	}
	return c
}

// refill gives a caller that posts its budget back: a while passes, of which
// nothing else takes note, and one bad post.
func (r *target) refill(t *testing.T, c *caller, path, mediaType string, while int64) {
	t.Helper()
	r.clock.Stop(r.now + while)
	if got := c.send(t, c.message(t, path, mediaType, nil)); got.class != identity.Malformed {
		t.Fatalf("a post of nothing: %d %s", got.status, got.body)
	}
	r.clock.Stop(r.now)
}

// post posts a statement. The tenth of a node in a row would be too much.
func (r *target) post(t *testing.T, c *caller, token string) reply {
	t.Helper()
	if r.posts[c.id]++; r.posts[c.id]%9 == 0 {
		r.refill(t, c, "/v1/records", jose, 11)
	}
	return c.send(t, c.message(t, "/v1/records", jose, []byte(token)))
}
