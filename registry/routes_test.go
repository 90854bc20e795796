package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
	"github.com/neurons-me/netget/registry/store"
)

func TestRegisteringAndDiscovering(t *testing.T) {
	for name, store := range map[string]func(*testing.T) catalog.Store{
		"in memory": func(*testing.T) catalog.Store { return memstore.New() },
		"in SQLite": sqliteStore,
	} {
		t.Run(name, func(t *testing.T) { testRegisteringAndDiscovering(t, newWorldOn(t, "production", time.Now, store(t))) })
	}
}

// sqliteStore opens a new store for the network "production".
func sqliteStore(t *testing.T) catalog.Store {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{URL: database.URL(filepath.Join(t.TempDir(), "registry.db")), Migrations: migrations.Registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	td, err := identity.NewTrustDomain("production", identity.DefaultDomain)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.New(db, td)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func testRegisteringAndDiscovering(t *testing.T, w *world) {
	t.Helper()
	s := serve(t, nil, w)
	db := newNode(t, w, s, "databaseservice", "db-1")
	reader := newNode(t, w, s, "client", "laptop")

	record, chain := db.record(1)
	r := want(t, db.post("/v1/records", discovery.JWSType, []byte(record.Token())), http.StatusCreated)
	listing, err := db.opener.Receipt(r.body, record, db.ask("databaseservice"))
	if err != nil || listing.Status != discovery.Up {
		t.Fatalf("the receipt: %+v, %v", listing, err)
	}
	want(t, db.post("/v1/records", discovery.JWSType, []byte(record.Token())), http.StatusOK)

	v := reader.view("databaseservice")
	if names(v) != "db-1" || !v.Found || v.Head.Version != 2 {
		t.Errorf("got %q at version %d", names(v), v.Head.Version)
	}
	if v := reader.view("nothing"); v.Found {
		t.Error("an absent service was found")
	}
	beat(t, db, record, chain)
	head, sums, err := reader.opener.Services(want(t, reader.get("/v1/services"), http.StatusOK).body, reader.ask(""))
	if err != nil || len(sums) != 1 || sums[0].Service != "databaseservice" || head.Version != 2 {
		t.Errorf("the services: %v, %v", sums, err)
	}
	one, err := reader.opener.Node(want(t, reader.get("/v1/services/databaseservice/db-1"), http.StatusOK).body, db.id, reader.ask("databaseservice"))
	if err != nil || names(one) != "db-1" {
		t.Errorf("the node: %v", err)
	}
	refused(t, reader.get("/v1/services/databaseservice/db-2"), http.StatusNotFound, identity.NotFound)
	removeNode(t, db, record)
	if v := reader.view("databaseservice"); v.Found {
		t.Error("a node that said goodbye is still listed")
	}
}

// beat has the node reveal its due token, with a receipt.
func beat(t *testing.T, n *node, record *identity.Statement, chain *identity.Chain) {
	t.Helper()
	token, _ := chain.Token(4) // within what clocks may differ
	body := fmt.Appendf(nil, `{"rid":%q,"k":4,"token":%q,"receipt":true}`, record.RID(), token)
	r := want(t, n.post("/v1/heartbeats", "application/json", body), http.StatusOK)
	var got struct {
		RID     identity.Hash   `json:"rid"`
		Status  string          `json:"status"`
		Version int64           `json:"version"`
		Receipt json.RawMessage `json:"receipt"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil || got.RID != record.RID() || got.Status != "up" || got.Version != 2 {
		t.Errorf("the heartbeat: %s, %v", r.body, err)
	}
	if _, err := n.opener.Receipt(got.Receipt, record, n.ask(n.id.Service())); err != nil {
		t.Errorf("the heartbeat's receipt: %v", err)
	}
}

// removeNode posts the node's tombstone and opens the receipt.
func removeNode(t *testing.T, n *node, record *identity.Statement) {
	t.Helper()
	i := n.source.Identity()
	tomb, err := identity.SignTombstone(identity.TombstoneFor(record, i.Bundle.NID(), n.now().Unix()), i.Credential, i.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{http.StatusCreated, http.StatusOK} {
		r := want(t, n.post("/v1/records", discovery.JWSType, []byte(tomb.Token())), status)
		if _, err := n.opener.TombstoneReceipt(r.body, tomb, n.ask("")); err != nil {
			t.Errorf("the tombstone's receipt: %v", err)
		}
	}
	r := n.post("/v1/records", discovery.JWSType, []byte(record.Token()))
	refused(t, r, http.StatusConflict, identity.Superseded)
	if p := r.problem(t); p.Current != tomb.Token() || len(p.Certificate) == 0 || len(p.Issuer) == 0 {
		t.Error("what supersedes the record is not sent along")
	}
}

func TestFromLinksVersions(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	a, b := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "databaseservice", "db-2")
	reader := newNode(t, w, s, "client", "laptop")
	a.register(1)
	mark := reader.view("databaseservice").Head.Mark()
	b.register(1)

	for _, path := range []string{"/v1/services/databaseservice", "/v1/services/databaseservice?known=", "/v1/services/nothing"} {
		for _, gzipped := range []bool{false, true} {
			if gzipped && path == "/v1/services/nothing" {
				continue // too short to be compressed
			}
			sep := "?"
			if path[len(path)-1] == '=' {
				sep = "&"
			}
			ask := discovery.Ask{Service: path[len("/v1/services/"):], Mark: &mark, Now: time.Now()}
			if ask.Service != "nothing" {
				ask.Service = "databaseservice"
			}
			doc := reader.document(fmt.Sprintf("%s%sfrom=%d", path, sep, mark.Version), gzipped)
			if _, err := reader.opener.Answer(doc, ask); err != nil {
				t.Errorf("%s (gzip %t): %v", path, gzipped, err)
			}
		}
	}
	ask := discovery.Ask{Mark: &mark, Now: time.Now()}
	from := fmt.Sprintf("?from=%d", mark.Version)
	if _, err := reader.opener.Head(reader.document("/v1/head"+from, false), ask); err != nil {
		t.Errorf("the head: %v", err)
	}
	if _, _, err := reader.opener.Services(reader.document("/v1/services"+from, false), ask); err != nil {
		t.Errorf("the services: %v", err)
	}
	checkProof(t, reader, mark)
}

// checkProof links the mark with the newest head by /v1/proof.
func checkProof(t *testing.T, reader *node, mark identity.RegistryMark) {
	t.Helper()
	newest := reader.view("databaseservice").Head.Mark()
	var got struct {
		Proof []identity.Hash `json:"proof"`
	}
	r := want(t, reader.get(fmt.Sprintf("/v1/proof?from=%d&to=%d", mark.Version, newest.Version)), http.StatusOK)
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	if err := discovery.CheckConsistency(got.Proof, mark, newest); err != nil {
		t.Error(err)
	}
	for _, query := range []string{"from=0&to=2", "from=2&to=2", "from=3&to=2", "from=1", "to=2", "from=01&to=2", "from=-1&to=2", "from=a&to=2", "from=1&from=1&to=2", "from=%zz&to=2", "from=1&to=9007199254740992"} {
		refused(t, reader.get("/v1/proof?"+query), http.StatusBadRequest, identity.Malformed)
	}
}

func TestCallerFromTheFuture(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	reader := newNode(t, w, s, "client", "laptop")
	for _, path := range []string{"/v1/head?from=7", "/v1/proof?from=1&to=7", "/v1/services/x?from=7"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := reader.get(path)
			refused(t, r, http.StatusServiceUnavailable, identity.Unavailable)
			if p := r.problem(t); p.Head == "" || len(p.Registry) != 2 {
				t.Error("the newest head is not sent along")
			}
		})
	}
}

func TestRefreshAndNotModified(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	db := newNode(t, w, s, "databaseservice", "db-1")
	record, chain := db.register(1)
	full := db.view("databaseservice")
	beat(t, db, record, chain)

	known := "/v1/services/databaseservice?known=" + full.Value.String()
	r := want(t, db.get(known), http.StatusOK)
	if got := r.header.Get("Content-Type"); got != discovery.RefreshType {
		t.Fatalf("got a body of type %s", got)
	}
	v, err := db.opener.Refresh(r.body, full, db.ask("databaseservice"))
	if err != nil || !v.Nodes[0].Live {
		t.Errorf("the refresh: %+v, %v", v, err)
	}
	absent := want(t, db.get("/v1/services/nothing?known="), http.StatusOK)
	if got := absent.header.Get("Content-Type"); got != discovery.RefreshType {
		t.Errorf("an absent service that is known to be absent came as %s", got)
	}
	refused(t, db.get("/v1/services/databaseservice?known=abc"), http.StatusBadRequest, identity.Malformed)

	checkNotModified(t, db, "/v1/services/databaseservice")
	checkNotModified(t, db, "/v1/services")
	checkNotModified(t, db, "/v1/head")
}

// checkNotModified asks with the ETag of the head just seen. The head may be
// signed again in between, but not every time.
func checkNotModified(t *testing.T, n *node, path string) {
	t.Helper()
	req := n.request(http.MethodGet, path, nil)
	for range 3 {
		req.Header.Del("If-None-Match")
		etag := want(t, n.do(req), http.StatusOK).header.Get("ETag")
		req.Header.Set("If-None-Match", `"1.1", `+etag)
		if r := n.do(req); r.status == http.StatusNotModified {
			if len(r.body) != 0 || r.header.Get("ETag") != etag {
				t.Errorf("%s: a 304 with a body or another tag", path)
			}
			return
		}
	}
	t.Errorf("%s: never unchanged", path)
}

func TestBundle(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	reader := newNode(t, w, s, "client", "laptop")
	b, err := identity.ParseBundle(want(t, reader.get("/v1/bundle"), http.StatusOK).body)
	if err != nil || b.NID() != w.ca.Bundle().NID() {
		t.Errorf("the bundle: %v", err)
	}
	td := spiffeid.RequireTrustDomainFromString(w.ca.TD.String())
	spiffe, err := spiffebundle.Parse(td, want(t, reader.get("/v1/bundle?format=spiffe"), http.StatusOK).body)
	if err != nil || len(spiffe.X509Authorities()) != 1 || !spiffe.X509Authorities()[0].Equal(w.ca.Root) {
		t.Errorf("the SPIFFE bundle: %v", err)
	}
	refused(t, reader.get("/v1/bundle?format=pem"), http.StatusBadRequest, identity.Malformed)
	want(t, reader.get("/openapi.yaml"), http.StatusOK)
}
