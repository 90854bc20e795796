package command

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	netget "github.com/neurons-me/netget"
	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/cmd/internal/directory"
	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/pki"
)

const (
	loopback       = "127.0.0.1:0"
	demoProduction = "production"
	demoService    = "databaseservice"
)

// demoWorld is all that the demo runs: real servers on loopback, each with its
// own files.
type demoWorld struct {
	*demo
	dir        string
	logger     *slog.Logger
	authority  *running[*authority.Server]
	registries map[string]*running[*directory.Server] // north and south
	nodes      []*netget.Node
	client     *netget.Node
	early      []byte // an answer from before the last registration
}

// running is a server with what ends it.
type running[S any] struct {
	server S
	stop   context.CancelFunc
	group  *errgroup.Group
}

// start runs a server and waits until it can be used.
func start[S any](ctx context.Context, server S, run func(context.Context, func() error) error) (*running[S], error) {
	ctx, stop := context.WithCancel(ctx)
	r := &running[S]{server: server, stop: stop, group: &errgroup.Group{}}
	ready, failed := make(chan struct{}), make(chan error, 1)
	r.group.Go(func() error {
		err := run(ctx, func() error { close(ready); return nil })
		failed <- err
		return err
	})
	select {
	case <-ready:
		return r, nil
	case err := <-failed:
		stop()
		return nil, err
	}
}

// end stops the server and waits for it.
func (r *running[S]) end() error {
	r.stop()
	return r.group.Wait()
}

func newDemoWorld(ctx context.Context, d *demo, dir string, logger *slog.Logger) (*demoWorld, error) {
	w := &demoWorld{demo: d, dir: dir, logger: logger, registries: map[string]*running[*directory.Server]{}}
	networks, err := pki.Init(ctx, pki.InitConfig{
		Dir: filepath.Join(dir, "ca"), Networks: []string{devNetwork, demoProduction}, URL: "https://" + loopback, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		d.proved("authority", "made the network %s with a root of its own, %s…", n.Network, n.RootSHA256[:16])
	}
	server, err := authority.Listen(ctx, authority.ServerConfig{
		CA:      pki.Config{Dir: filepath.Join(dir, "ca"), Logger: logger, Now: time.Now, RenewGrace: pki.DefaultRenewGrace},
		Address: loopback, OpsAddress: ops.Off,
	})
	if err != nil {
		return nil, err
	}
	if w.authority, err = start(ctx, server, server.Run); err != nil {
		return nil, err
	}
	d.proved("authority", "serves both networks at %s", server.Address())
	return w, nil
}

// folder is where an identity lives.
func (w *demoWorld) folder(network, service, node string) string {
	return filepath.Join(w.dir, network, service, node)
}

// enrollNode takes a node through the front door: token, CSR, certificate.
func (w *demoWorld) enrollNode(ctx context.Context, network, service, node string, addresses ...string) error {
	minted, err := w.authority.server.CA().Token(ctx, pki.TokenRequest{Network: network, Service: service, Node: node, Addresses: addresses})
	if err != nil {
		return err
	}
	token, err := enroll.ParseToken(minted.Token)
	if err != nil {
		return err
	}
	_, err = enroll.Enroll(ctx, enroll.Config{Token: token, Folder: identity.NewFolder(w.folder(network, service, node)), Logger: w.logger})
	return err
}

// enroll brings registries, nodes and a client into the network.
func (w *demoWorld) enroll(ctx context.Context) error {
	for _, name := range []string{"north", "south"} {
		if err := w.enrollNode(ctx, devNetwork, "registry", name); err != nil {
			return err
		}
		if err := w.startRegistry(ctx, name); err != nil {
			return err
		}
		address := "https://" + w.registries[name].server.Address()
		if _, err := w.authority.server.CA().AddRegistry(ctx, devNetwork, name, address); err != nil {
			return err
		}
		w.proved(name, "is a registry of %s with a log of its own, at %s", devNetwork, address)
	}
	for _, n := range [][3]string{
		{devNetwork, demoService, "db-1"},
		{devNetwork, demoService, "db-2"},
		{devNetwork, "webservice", "web-1"},
		{devNetwork, "client", "alice"},
		{demoProduction, demoService, "db-1"},
	} {
		if err := w.enrollNode(ctx, n[0], n[1], n[2]); err != nil {
			return err
		}
		w.proved(n[2], "enrolled in %s as %s by a token that works once", n[0], n[1])
	}
	return nil
}

func (w *demoWorld) startRegistry(ctx context.Context, name string) error {
	server, err := directory.Listen(ctx, directory.ServerConfig{
		Identities: []string{w.folder(devNetwork, "registry", name)}, Store: database.URL(filepath.Join(w.dir, name+".db")),
		Address: loopback, OpsAddress: ops.Off, Now: time.Now, Logger: w.logger,
	})
	if err != nil {
		return err
	}
	w.registries[name], err = start(ctx, server, server.Run)
	return err
}

// node returns the SDK's node of an identity that was enrolled.
func (w *demoWorld) node(service, name string, port int) *netget.Node {
	return netget.New(netget.Options{
		Identity: w.folder(devNetwork, service, name), Network: devNetwork, Metadata: map[string]string{"name": service},
		Endpoints:     []netget.Endpoint{{Address: "127.0.0.1", Port: port}},
		RegistryNodes: w.addresses(), HeartbeatInterval: time.Second, KeepAnswers: true, Logger: w.logger,
	})
}

func (w *demoWorld) addresses() []string {
	var urls []string
	for _, r := range w.registries {
		urls = append(urls, "https://"+r.server.Address())
	}
	slices.Sort(urls)
	return urls
}

// register registers two nodes, keeps an answer, and registers the third.
func (w *demoWorld) register(ctx context.Context) error {
	w.client = w.node("client", "alice", 0)
	for i, n := range [][2]string{{demoService, "db-1"}, {"webservice", "web-1"}, {demoService, "db-2"}} {
		if i == 2 {
			d, err := w.client.Discover(ctx, demoService)
			if err != nil {
				return err
			}
			w.early = d.Answer()
		}
		node := w.node(n[0], n[1], 5432+i)
		w.nodes = append(w.nodes, node)
		if err := node.RegisterWithNetwork(ctx); err != nil {
			return fmt.Errorf("registering %s: %w", n[1], err)
		}
		r, _ := node.Registration()
		if len(r.Accepted) != len(w.registries) {
			return fmt.Errorf("registering %s: accepted by %d of %d registries", n[1], len(r.Accepted), len(w.registries))
		}
		w.proved(n[1], "signed its record; both registries gave a receipt that verifies (%s…)", r.RID.String()[:12])
	}
	return nil
}

// discover asks either registry, and both.
func (w *demoWorld) discover(ctx context.Context) error {
	for name, r := range w.registries {
		alone := netget.New(netget.Options{
			Identity: w.folder(devNetwork, "client", "alice"), RegistryNodes: []string{"https://" + r.server.Address()}, Logger: w.logger,
		})
		nodes, err := alone.DiscoverServiceNodes(ctx, demoService)
		if closeErr := alone.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		if got := labels(nodes); got != "db-1 db-2" {
			return fmt.Errorf("discovering through %s: got %q", name, got)
		}
		w.proved("alice", "found db-1 and db-2 through %s alone, every signature verified", name)
	}
	if _, err := w.client.DiscoverServiceNode(ctx, "mailservice"); err == nil {
		return fmt.Errorf("found a service that nobody offers")
	}
	w.proved("alice", "has a proof from both registries that there is no mailservice")
	return nil
}

func labels(nodes []netget.ServiceNode) string {
	var names []string
	for _, n := range nodes {
		names = append(names, n.Node)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// crash takes the store away under a registry, drops it, and starts it again.
func (w *demoWorld) crash(ctx context.Context) error {
	north := w.registries["north"]
	before, err := w.head(ctx, north.server.Address())
	if err != nil {
		return err
	}
	if err := north.server.Tear(); err != nil {
		return err
	}
	_ = north.end() // it fails: its store is gone
	w.proved("north", "was stopped without warning at version %d", before.Version)
	if nodes, err := w.client.DiscoverServiceNodes(ctx, demoService); err != nil || labels(nodes) != "db-1 db-2" {
		return fmt.Errorf("discovering while north is down: %q, %w", labels(nodes), err)
	}
	w.proved("alice", "still finds db-1 and db-2, through south")
	if err := w.startRegistry(ctx, "north"); err != nil {
		return fmt.Errorf("starting north again: %w", err)
	}
	after, err := w.head(ctx, w.registries["north"].server.Address())
	if err != nil {
		return err
	}
	if after.Version < before.Version || after.Records != before.Records {
		return fmt.Errorf("north came back at version %d with %d records, from version %d with %d", after.Version, after.Records, before.Version, before.Records)
	}
	w.proved("north", "verified all that it had stored and goes on: version %d, all %d records there", after.Version, after.Records)
	return nil
}

// head asks one registry, as a client that has met it before.
func (w *demoWorld) head(ctx context.Context, address string) (discovery.Head, error) {
	source, err := identity.NewSource(identity.NewFolder(w.folder(devNetwork, "client", "alice")))
	if err != nil {
		return discovery.Head{}, err
	}
	marks, err := discovery.OpenMarks(source.Folder().Path(identity.MarksFile))
	if err != nil {
		return discovery.Head{}, err
	}
	client, err := discovery.NewClient(discovery.Config{
		Source: source, Marks: marks, Addresses: []string{"https://" + address}, Now: time.Now, Logger: w.logger,
	})
	if err != nil {
		return discovery.Head{}, err
	}
	defer client.Close()
	heads, _, err := client.Heads(ctx)
	if err != nil {
		return discovery.Head{}, err
	}
	return heads[0].Head, nil
}

// close ends everything, nodes first.
func (w *demoWorld) close() error {
	for _, n := range append(w.nodes, w.client) {
		if n == nil {
			continue
		}
		if err := n.Close(); err != nil {
			w.logger.LogAttrs(context.Background(), slog.LevelWarn, "node not closed", slog.Any("error", err))
		}
	}
	for _, r := range w.registries {
		r.stop()
	}
	for _, r := range w.registries {
		_ = r.group.Wait() // north has failed on purpose
	}
	return w.authority.end()
}
