package main_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/pki"
)

// A crashWorld is a network with a registry that can be killed: its authority
// runs in the test, the registry is the program in a process of its own.
type crashWorld struct {
	dir      string
	ca       *pki.CA
	store    string // URL
	address  string // of the registry, the same after every start
	registry *registryProcess
	nodes    []*crashNode
	watcher  *identity.Source
	newest   int64 // version of the newest head that anybody has verified
}

// newCrashWorld enrols a registry, which is running then, nodes and a watcher.
// A registry takes ten records of a node at once, so a round with n nodes lasts
// for at least 20·n moments of an attack.
func newCrashWorld(t *testing.T, store string) *crashWorld {
	t.Helper()
	const nodes = 8
	w := &crashWorld{dir: t.TempDir(), store: store, address: "127.0.0.1:0"}
	w.serveAuthority(t)
	w.enroll(t, "registry", "r-1", filepath.Join(w.home(), "registry", "identity"))
	t.Cleanup(func() { w.registry.finalLog() })
	w.startRegistry(t)
	if _, err := w.ca.AddRegistry(t.Context(), "development", "r-1", "https://"+w.address); err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		name := fmt.Sprintf("n-%d", i)
		source := w.enroll(t, crashServices()[i%len(crashServices())], name, filepath.Join(w.dir, name))
		w.nodes = append(w.nodes, &crashNode{source: source})
	}
	w.watcher = w.enroll(t, "client", "watcher", filepath.Join(w.dir, "watcher"))
	return w
}

func crashServices() []string { return []string{"databaseservice", "cacheservice"} }

func (w *crashWorld) serveAuthority(t *testing.T) {
	t.Helper()
	dir, logger := filepath.Join(w.dir, "ca"), slog.New(slog.DiscardHandler)
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: "https://127.0.0.1:0", Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	server, err := authority.Listen(t.Context(), authority.ServerConfig{
		CA:      pki.Config{Dir: dir, Logger: logger, Now: time.Now, RenewGrace: pki.DefaultRenewGrace},
		Address: "127.0.0.1:0", OpsAddress: ops.Off,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- server.Run(ctx, func() error { close(ready); return nil }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("serving the authority: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the authority ended with %v", err)
		}
	})
	w.ca = server.CA()
}

// home is the registry's; its identity is at the usual place.
func (w *crashWorld) home() string { return filepath.Join(w.dir, "home") }

// enroll makes an identity by a join token.
func (w *crashWorld) enroll(t *testing.T, service, node, dir string) *identity.Source {
	t.Helper()
	minted, err := w.ca.Token(t.Context(), pki.TokenRequest{Network: "development", Service: service, Node: node})
	if err != nil {
		t.Fatal(err)
	}
	token, err := enroll.ParseToken(minted.Token)
	if err != nil {
		t.Fatal(err)
	}
	folder := identity.NewFolder(dir)
	if _, err := enroll.Enroll(t.Context(), enroll.Config{Token: token, Folder: folder}); err != nil {
		t.Fatalf("enrolling %s: %v", node, err)
	}
	source, err := identity.NewSource(folder)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// verify asks the registry for all nodes, as a client that has met it before,
// and returns the version of the answers and how many nodes are missing, or
// listed with less than what was acknowledged.
func (w *crashWorld) verify(t *testing.T) (version int64, missing int) {
	t.Helper()
	client := newDiscovery(t, w.watcher, w.address)
	defer client.Close()
	for _, n := range w.nodes {
		w.newest = max(w.newest, n.version)
	}
	found := map[string]*discovery.Found{}
	for _, service := range crashServices() {
		f, err := client.Discover(t.Context(), service)
		if err != nil {
			t.Fatalf("discovering %s after the kill: %v\n%s", service, err, w.registry.finalLog())
		}
		for _, out := range f.LeftOut {
			t.Errorf("%s was left out: %s", out.ID, out.Code)
		}
		found[service], version = f, f.Registries[0].Head.Version
		if version < w.newest {
			t.Errorf("the registry is at version %d, a head of version %d was seen", version, w.newest)
		}
	}
	for _, n := range w.nodes {
		if !n.isKeptBy(found[n.source.Identity().ID().Service()]) {
			missing++
			t.Errorf("%s: (%d, %d) was acknowledged and is not there", n.acknowledged.Node(), n.acknowledged.Epoch(), n.acknowledged.Sequence())
		}
	}
	w.newest = max(w.newest, version)
	return version, missing
}
