package main_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/pki"
)

// A drillWorld is a network with a registry that can be killed, stopped and
// flooded: its authority runs in the test, the registry is the program in a
// process of its own.
type drillWorld struct {
	dir     string
	ca      *pki.CA
	store   string   // URL
	address string   // of the registry, the same after every start
	flags   []string // of the registry, besides the usual ones
	env     []string // of the registry

	issued func() time.Time // the authority's clock; certificates begin then

	registry *registryProcess
}

// newDrillWorld makes the network and enrols a registry that does not run yet.
func newDrillWorld(t *testing.T) *drillWorld {
	t.Helper()
	return newDrillWorldAt(t, time.Now)
}

// newDrillWorldAt is [newDrillWorld] with an authority that has its own clock.
func newDrillWorldAt(t *testing.T, issued func() time.Time) *drillWorld {
	t.Helper()
	w := &drillWorld{dir: t.TempDir(), address: "127.0.0.1:0", env: []string{}, issued: issued}
	w.store = database.URL(filepath.Join(w.dir, "registry.db"))
	w.serveAuthority(t)
	w.enroll(t, "registry", "r-1", filepath.Join(w.home(), "registry", "identity"))
	return w
}

// start starts the registry for the first time and puts it on the list.
func (w *drillWorld) start(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { w.registry.finalLog() })
	w.startRegistry(t)
	if _, err := w.ca.AddRegistry(t.Context(), "development", "r-1", "https://"+w.address); err != nil {
		t.Fatal(err)
	}
}

func (w *drillWorld) serveAuthority(t *testing.T) {
	t.Helper()
	dir, logger := filepath.Join(w.dir, "ca"), slog.New(slog.DiscardHandler)
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: "https://127.0.0.1:0", Now: w.issued}); err != nil {
		t.Fatal(err)
	}
	server, err := authority.Listen(t.Context(), authority.ServerConfig{
		CA:      pki.Config{Dir: dir, Logger: logger, Now: w.issued, RenewGrace: pki.DefaultRenewGrace},
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
func (w *drillWorld) home() string { return filepath.Join(w.dir, "home") }

// enrolNamed is [drillWorld.enroll] into a folder named after the node.
func (w *drillWorld) enrolNamed(t *testing.T, service, node string) *identity.Source {
	t.Helper()
	return w.enroll(t, service, node, filepath.Join(w.dir, node))
}

// enroll makes an identity by a join token.
func (w *drillWorld) enroll(t *testing.T, service, node, dir string) *identity.Source {
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
	if _, err := enroll.Enroll(t.Context(), enroll.Config{Token: token, Folder: folder, Now: w.issued}); err != nil {
		t.Fatalf("enrolling %s: %v", node, err)
	}
	source, err := identity.NewSource(folder)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// newDiscovery returns a client of the registry with the marks that its user
// keeps, and the clock that it judges by.
func (w *drillWorld) newDiscovery(t *testing.T, source *identity.Source, marks *discovery.Marks, now func() time.Time) *discovery.Client {
	t.Helper()
	client, err := discovery.NewClient(discovery.Config{
		Source: source, Marks: marks, Addresses: []string{"https://" + w.address}, Now: now,
		MaxStale: discovery.DefaultMaxStale, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// patiently asks for a service until the one registry answers, one way or another:
// a machine that has much to do may need longer than a client waits.
func patiently(ctx context.Context, client *discovery.Client, service string) (found *discovery.Found, err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		found, err = client.Discover(ctx, service)
		if err != nil && len(found.Errors) == 1 {
			err = found.Errors[0].Err
		}
		if err == nil || !isAbsence(err) || time.Since(began) > startLimit {
			return found, err
		}
	}
}

// eventually waits until something is so, for at most so long, and returns how
// long it took.
func eventually(t *testing.T, within time.Duration, what string, isSo func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !isSo() {
		if time.Since(began) > within {
			t.Fatalf("not within %s: %s", within, what)
		}
		<-tick.C
	}
	return time.Since(began)
}
