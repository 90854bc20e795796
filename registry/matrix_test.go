package registry_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/forge"
	"github.com/neurons-me/netget/registry"
)

// callers are those of the matrix, in the order of its columns. The other node
// is of the same service and registered too; the other service's is not.
func callers() []string {
	return []string{
		"nobody", "another network", "another root", "over", "begins later", "revoked", "signing", "server only", "leaf alone",
		"client", "operator", "registry", "other service", "other node", "node",
	}
}

// An outcome is what a call comes to: a status with its class, or the class of
// a handshake that fails.
type outcome struct {
	status int
	code   identity.Code
}

// A row is one thing to do on a route, with what it comes to for each caller.
type row struct {
	route, sent string
	outcomes    []outcome
}

func matrix() []row {
	none := outcome{0, "tls"} // crypto/tls wants a certificate
	shut, gone := outcome{0, identity.BadCert}, outcome{0, identity.Revoked}
	made, fine := outcome{http.StatusCreated, ""}, outcome{http.StatusOK, ""}
	alien, role := outcome{http.StatusForbidden, identity.Binding}, outcome{http.StatusForbidden, identity.Denied}
	lost, past := outcome{http.StatusNotFound, identity.NotFound}, outcome{http.StatusConflict, identity.Superseded}
	member := []outcome{none, shut, shut, shut, shut, gone, shut, shut, shut, fine, fine, fine, fine, fine, fine}
	told := slices.Clone(member)
	told[9] = role // a client
	theirs := slices.Clone(told)
	theirs[11], theirs[12], theirs[13] = role, role, role // not the node itself
	return []row{
		{"POST /v1/records", "a record of the node", []outcome{none, shut, shut, shut, shut, gone, shut, shut, shut, alien, alien, alien, alien, alien, made}},
		{"POST /v1/records", "a record of its own", []outcome{none, shut, shut, shut, shut, gone, shut, shut, shut, role, role, made, made, made, made}},
		{"POST /v1/records", "a tombstone for the node", []outcome{none, shut, shut, shut, shut, gone, shut, shut, shut, role, made, role, role, role, made}},
		{"POST /v1/heartbeats", "a token of the node", []outcome{none, shut, shut, shut, shut, gone, shut, shut, shut, lost, lost, lost, lost, past, fine}},
		{"GET /v1/services", "", member},
		{"GET /v1/services/:service", "", member},
		{"GET /v1/services/:service/:node", "", member},
		{"GET /v1/events", "", told},
		{"GET /v1/events", "of the node", theirs},
		{"GET /v1/proof", "", member},
		{"GET /v1/head", "", member},
		{"GET /v1/bundle", "", member},
		{"GET /openapi.yaml", "", member},
	}
}

// A forum is a registry with all callers of the matrix.
type forum struct {
	*world
	t          *testing.T
	served     *served
	handshakes chan string // why they failed
	shown      map[string]*identity.Credential
	record     *identity.Statement // of the node
	chain      *identity.Chain     // of that record
}

func newForum(t *testing.T, edits ...func(*registry.Config)) *forum {
	t.Helper()
	now := frozen()
	f := &forum{world: newWorld(t, "production", now), t: t, handshakes: make(chan string, 64)}
	f.served = serve(t, func(c *registry.Config) {
		c.Logger = slog.New(&handshakeLog{out: f.handshakes})
		for _, edit := range edits {
			edit(c)
		}
	}, f.world, newWorld(t, "staging", now))
	f.shown = f.credentials()
	f.revoke(f.shown["revoked"])
	newNode(t, f.world, f.served, "databaseservice", "db-2").register(1)
	f.record, f.chain = newNode(t, f.world, f.served, "databaseservice", "db-1").register(1)
	return f
}

// credentials returns what the callers show; none for nobody.
func (f *forum) credentials() map[string]*identity.Credential {
	f.t.Helper()
	now := f.now()
	staging, stranger := testca.New("staging", "staging", now), testca.New("production", "somebody else's", now)
	node := f.ca.ID("databaseservice", "db-1")
	return map[string]*identity.Credential{
		"another network": staging.Issue(staging.ID("databaseservice", "db-1")),
		"another root":    stranger.Issue(node),
		"over": f.ca.Issue(node, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(-2*time.Hour), now.Add(-identity.ClockSkew-time.Second)
		}),
		"begins later": f.ca.Issue(node, func(c *x509.Certificate) { c.NotBefore = now.Add(identity.ClockSkew + 2*time.Second) }),
		"revoked":      f.ca.Issue(node),
		"signing":      f.ca.IssueSigning(f.ca.ID("registry", "reg-2")),
		"server only": f.ca.Issue(node, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}),
		"leaf alone":    f.ca.Issue(node),
		"client":        f.ca.Issue(f.ca.ID("client", "laptop")),
		"operator":      f.ca.Issue(f.ca.ID("operator", "olga")),
		"registry":      f.ca.Issue(f.ca.ID("registry", "reg-2")),
		"other service": f.ca.Issue(f.ca.ID("web", "web-1")),
		"other node":    f.ca.Issue(f.ca.ID("databaseservice", "db-2")),
		"node":          f.ca.Issue(node),
	}
}

// revoke puts a list in force on which a certificate stands.
func (f *forum) revoke(cred *identity.Credential) {
	f.t.Helper()
	err := f.source.Update(func(current *identity.Identity) (*identity.Identity, error) {
		next := *current
		next.Bundle = f.ca.Bundle(f.ca.CRL(f.now().Unix(), cred.Leaf()))
		return &next, nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// certificate returns what a caller shows in TLS.
func (f *forum) certificate(caller string) *tls.Certificate {
	cred := f.shown[caller]
	if cred == nil {
		return nil
	}
	shown := *cred.TLS()
	if caller == "leaf alone" {
		shown.Certificate = shown.Certificate[:1]
	}
	return &shown
}

// signed returns a record or tombstone that no rule for payloads kept a caller
// from signing.
func (f *forum) signed(caller string, typ identity.Typ, payload any) []byte {
	f.t.Helper()
	cred := f.shown[caller]
	if cred == nil {
		return []byte("a.b.c")
	}
	text, err := identity.MarshalCanonical(payload)
	if err != nil {
		f.t.Fatal(err)
	}
	return []byte(forge.Token(typ, cred.TLS().PrivateKey.(crypto.Signer), cred.Leaf(), text))
}

// message returns path, media type and body of what a row sends.
func (f *forum) message(caller string, r row) (path, mediaType string, body []byte) {
	f.t.Helper()
	_, path, _ = strings.Cut(r.route, " ")
	path = strings.NewReplacer(":service", "databaseservice", ":node", "db-1").Replace(path)
	if path == "/v1/proof" {
		path += "?from=1&to=2"
	}
	now, old := f.now().Unix(), f.record
	switch r.sent {
	case "a record of the node":
		next, _ := old.Record()
		next.Sequence++
		return path, discovery.JWSType, f.signed("node", identity.RecordTyp, next)
	case "a record of its own":
		next, _ := old.Record()
		next.Sequence++
		if cred := f.shown[caller]; cred != nil {
			next.Node, next.Service = cred.ID(), cred.ID().Service()
		}
		return path, discovery.JWSType, f.signed(caller, identity.RecordTyp, next)
	case "a tombstone for the node":
		tomb := identity.TombstoneFor(old, f.ca.Bundle().NID(), now)
		if caller == "operator" {
			tomb.Sequence = identity.OperatorSequence
		}
		return path, discovery.JWSType, f.signed(caller, identity.TombstoneTyp, tomb)
	case "of the node":
		return path + "?service=databaseservice&node=db-1", "", nil
	case "a token of the node":
		token, _ := f.chain.Token(1)
		return path, "application/json", []byte(beatBody(old.RID(), 1, token))
	}
	return path, "", nil
}

// check makes the call of a cell and compares what it comes to.
func (f *forum) check(caller string, r row, want outcome) {
	f.t.Helper()
	before := f.catalog.Snapshot().Head()
	method, _, _ := strings.Cut(r.route, " ")
	path, mediaType, body := f.message(caller, r)
	req, err := http.NewRequestWithContext(f.t.Context(), method, "https://"+f.served.addr+path, strings.NewReader(string(body)))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	got, err := send(f.t, as(f.t, f.served, f.ca.TD.RegistryName(), f.certificate(caller)), req)
	if want.status == 0 {
		f.shut(got, err, want.code)
	} else {
		f.answered(got, err, want)
	}
	if after := f.catalog.Snapshot().Head(); want.code != "" && (after.Version != before.Version || after.Root != before.Root) {
		f.t.Errorf("what was refused changed the registry from version %d to %d", before.Version, after.Version)
	}
}

// send makes a request and reads the answer.
func send(t *testing.T, c *http.Client, req *http.Request) (reply, error) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		return reply{}, err
	}
	return read(t, res), nil
}

// shut fails unless the handshake did, for the class.
func (f *forum) shut(got reply, err error, class identity.Code) {
	f.t.Helper()
	if err == nil {
		f.t.Fatalf("let in: %d %.300s", got.status, got.body)
	}
	if reason, _, _ := strings.Cut(<-f.handshakes, ":"); reason != string(class) {
		f.t.Errorf("the handshake failed for %q, want %q", reason, class)
	}
}

func (f *forum) answered(got reply, err error, want outcome) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	if want.code != "" {
		refused(f.t, got, want.status, want.code)
	} else if got.status != want.status {
		f.t.Errorf("got %d %.300s, want %d", got.status, got.body, want.status)
	}
}

func TestEveryRouteForEveryCaller(t *testing.T) {
	shared := newForum(t)
	mounted := registry.Routes(shared.served.Server)
	var rows []string
	for _, r := range matrix() {
		rows = append(rows, r.route)
	}
	slices.Sort(mounted)
	slices.Sort(rows)
	if diff := cmp.Diff(mounted, slices.Compact(rows)); diff != "" {
		t.Fatalf("the matrix has not the rows of the routes that are mounted (-mounted +rows):\n%s", diff)
	}
	for _, r := range matrix() {
		if len(r.outcomes) != len(callers()) {
			t.Fatalf("%s: %d outcomes for %d callers", r.route, len(r.outcomes), len(callers()))
		}
		for i, caller := range callers() {
			t.Run(strings.TrimSuffix(r.route+", "+r.sent, ", ")+", by "+caller, func(t *testing.T) {
				f := *shared
				if f.t = t; r.sent != "" && r.outcomes[i].code == "" {
					f = *newForum(t) // this call changes it
				}
				f.check(caller, r, r.outcomes[i])
			})
		}
	}
}

// paths returns each path that has a route, with its methods.
func paths(f *forum) map[string][]string {
	found := map[string][]string{}
	for _, r := range matrix() {
		method, _, _ := strings.Cut(r.route, " ")
		path, _, _ := f.message("node", r)
		path, _, _ = strings.Cut(path, "?")
		if !slices.Contains(found[path], method) {
			found[path] = append(found[path], method)
		}
	}
	return found
}

func TestOtherMethodsOfEveryRoute(t *testing.T) {
	f := newForum(t)
	c := as(t, f.served, f.ca.TD.RegistryName(), f.certificate("registry"))
	for path, mounted := range paths(f) {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW", "get", "Post"} {
			if slices.Contains(mounted, method) || method == "CONNECT" && strings.HasPrefix(path, "/") {
				continue // net/http's client puts no path behind CONNECT
			}
			req, err := http.NewRequestWithContext(t.Context(), method, "https://"+f.served.addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, res)
			status := http.StatusMethodNotAllowed
			if method == http.MethodOptions {
				status = http.StatusNoContent
			}
			allowed := strings.Split(got.header.Get("Allow"), ", ")
			for _, m := range mounted {
				if got.status != status || !slices.Contains(allowed, m) {
					t.Errorf("%s %s: got %d, Allow %q, want %d with %s", method, path, got.status, allowed, status, m)
				}
			}
			if len(got.body) != 0 && !json.Valid(got.body) {
				t.Errorf("%s %s: %q is no problem document", method, path, got.body)
			}
		}
	}
}
