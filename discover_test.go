package netget_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// only lets a node register at, or ask, one registry.
func only(r *registryNode) func(*netget.Options) {
	return func(o *netget.Options) { o.RegistryNodes = []string{r.url()} }
}

// both has a node wait for two registries, also for one that is slow.
func both(o *netget.Options) { o.MinRegistries = 2 }

func TestDiscoveryJoinsWhatRegistriesKnow(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	register(t, w.node(t, w.folder(t, "svc", "n-1"), only(w.registries[0])))
	register(t, w.node(t, w.folder(t, "svc", "n-2"), only(w.registries[1])))
	nodes, err := w.client(t, both).DiscoverServiceNodes(t.Context(), "svc")
	if err != nil || len(nodes) != 2 || nodes[0].Node != "n-1" || nodes[1].Node != "n-2" {
		t.Errorf("got %+v, error %v; want n-1 and n-2", nodes, err)
	}
	nodes, err = w.client(t, only(w.registries[0])).DiscoverServiceNodes(t.Context(), "svc")
	if err != nil || len(nodes) != 1 {
		t.Errorf("got %+v, error %v; want n-1, which r1 knows", nodes, err)
	}
}

func TestDiscoveryNeedsAsManyRegistriesAsItWasTold(t *testing.T) {
	w := newWorld(t, "r1")
	down := w.addRegistry(t, "r2")
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	d, err := w.client(t).Discover(t.Context(), "svc")
	if err != nil || len(d.Registries) != 1 || len(d.Errors) != 1 || d.Errors[0].URL != down.url() {
		t.Errorf("got %+v, error %v; want r1's answer and the failure of r2", d, err)
	}
	_, err = w.client(t, both).DiscoverServiceNode(t.Context(), "svc")
	if got := identity.CodeOf(err); err == nil || got != identity.Unavailable || !strings.Contains(err.Error(), down.url()) {
		t.Errorf("got error %v of class %q, want that %s is unavailable", err, got, down.url())
	}
}

func TestAbsenceIsToldFromFailure(t *testing.T) {
	w := newWorld(t, "r1")
	client := w.client(t)
	_, err := client.DiscoverServiceNode(t.Context(), "nothing")
	wantError(t, err, netget.ErrNotFound)
	_, err = client.LookupNode(t.Context(), "svc", "n-1")
	wantError(t, err, netget.ErrNotFound)
	d, err := client.Discover(t.Context(), "nothing")
	if err != nil || d.Found || d.Nodes == nil || d.LeftOut == nil || d.Errors == nil {
		t.Errorf("got %+v, error %v; want an absence with empty lists", d, err)
	}
	_, err = client.DiscoverServiceNode(t.Context(), "Not A Name")
	if got := identity.CodeOf(err); got != identity.Malformed {
		t.Errorf("got error %v of class %q, want %q", err, got, identity.Malformed)
	}
	w.registries[0].stop()
	_, err = client.DiscoverServiceNode(t.Context(), "other")
	if err == nil || errors.Is(err, netget.ErrNotFound) {
		t.Errorf("got error %v, want a failure that is no absence", err)
	}
}

func TestNodeThatIsNotLiveIsNotFound(t *testing.T) {
	w := newWorld(t, "r1")
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	later := func(o *netget.Options) { // by this clock no heartbeat came for long
		o.Now = func() time.Time { return time.Now().Add(75 * time.Second) }
	}
	client := w.client(t, later)
	_, err := client.DiscoverServiceNode(t.Context(), "svc")
	wantError(t, err, netget.ErrNotFound)
	d, err := client.Discover(t.Context(), "svc")
	if err != nil || len(d.Nodes) != 1 || d.Nodes[0].Active || !d.Nodes[0].Disputed || d.Nodes[0].Reason == "" {
		t.Errorf("got %+v, error %v; want a node that is up, not live, and why", d, err)
	}
}

func TestLastAnswerServesWhileNoRegistryAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		maxStale time.Duration
		later    time.Duration
		want     bool
	}{
		"by default":         {0, time.Minute, true},
		"not for ever":       {time.Minute, 2 * time.Minute, false},
		"not when forbidden": {-1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "r1")
			register(t, w.node(t, w.folder(t, "svc", "n-1")))
			var skip atomic.Int64
			client := w.client(t, func(o *netget.Options) {
				o.MaxStale = c.maxStale
				o.Now = func() time.Time { return time.Now().Add(time.Duration(skip.Load())) }
			})
			if _, err := client.DiscoverServiceNode(t.Context(), "svc"); err != nil {
				t.Fatal(err)
			}
			w.registries[0].stop()
			skip.Store(int64(c.later))
			d, err := client.Discover(t.Context(), "svc")
			if c.want && (err != nil || !d.Stale || len(d.Nodes) != 1 || len(d.Errors) != 1) {
				t.Errorf("got %+v, error %v; want the last answer, marked stale", d, err)
			}
			if !c.want && err == nil {
				t.Errorf("got %+v, want an error", d)
			}
		})
	}
}

func TestChoiceFollowsWeights(t *testing.T) {
	w := newWorld(t, "r1")
	for label, weight := range map[string]string{"z-heavy": "1000", "light": "1", "odd": "many"} {
		register(t, w.node(t, w.folder(t, "svc", label), func(o *netget.Options) {
			o.Metadata = map[string]string{"weight": weight}
		}))
	}
	client := w.client(t)
	const draws = 100
	heavy := 0
	for range draws {
		n, err := client.DiscoverServiceNode(t.Context(), "svc")
		if err != nil {
			t.Fatal(err)
		}
		if n.Node == "z-heavy" {
			heavy++
		}
	}
	if heavy < draws*9/10 {
		t.Errorf("the heavy node was chosen %d of %d times, want nearly always", heavy, draws)
	}
}

func TestServicesAndStatus(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	before, err := n.Status(t.Context())
	if err != nil || before.Registration != nil || before.Identity.State != "valid" || !before.Registries[0].Reachable {
		t.Errorf("got %+v, error %v; want a valid identity, a registry and no registration", before, err)
	}
	r := register(t, n)
	after, err := n.Status(t.Context())
	if err != nil || after.Registration == nil || after.Registration.RID != r.RID || len(after.Problems) != 0 {
		t.Errorf("got %+v, error %v; want the registration %s", after, err, r.RID)
	}
	list, err := w.client(t).Services(t.Context())
	if err != nil || len(list.Services) != 1 || list.Services[0] != (netget.ServiceCount{Service: "svc", Records: 1}) {
		t.Errorf("got %+v, error %v; want svc with one record", list, err)
	}
	w.registries[0].stop()
	gone, err := n.Status(t.Context())
	if err != nil || gone.Registries[0].Reachable || gone.Registries[0].Code != identity.Unavailable || gone.Registries[0].Message == "" {
		t.Errorf("got %+v, error %v; want an unreachable registry and why", gone, err)
	}
}

func TestIdentityThatCannotBeUsed(t *testing.T) {
	w := newWorld(t, "r1")
	_, err := w.node(t, t.TempDir()).DiscoverServiceNode(t.Context(), "svc")
	wantError(t, err, identity.ErrNoIdentity)
	dir := w.folder(t, "svc", "n-1")
	if err := os.Chmod(filepath.Join(dir, identity.KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.node(t, dir).RegisterWithNetwork(t.Context()), identity.ErrFileMode)

	torn := w.folder(t, "svc", "n-2")
	if err := os.WriteFile(filepath.Join(torn, identity.MarksFile), []byte(`{"registries":`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = w.node(t, torn).DiscoverServiceNode(t.Context(), "svc")
	if got := identity.CodeOf(err); got != identity.Malformed {
		t.Errorf("got error %v of class %q, want that torn marks are refused", err, got)
	}
}

func TestRegistryThatTheAuthorityDoesNotNameIsRefused(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "client", "c-1", func(i *identity.Identity) { i.Document.Registries = i.Document.Registries[:0] })
	_, err := w.node(t, dir, only(w.registries[0])).DiscoverServiceNode(t.Context(), "svc")
	if got := identity.CodeOf(err); got != identity.Binding {
		t.Errorf("got error %v of class %q, want %q", err, got, identity.Binding)
	}
}

func TestNodesOfOneNetworkServeEachOther(t *testing.T) {
	w := newWorld(t, "r1")
	config, err := w.node(t, w.folder(t, "svc", "n-1")).TLSServer()
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, "127.0.0.1:0")
	background(t, func(ctx context.Context) error { return greet(ctx, tls.NewListener(l, config)) })

	ours := load(t, w.folder(t, "client", "c-1")).Credential.TLS()
	if got, err := dial(t, l.Addr().String(), *ours); err != nil || got != "hello" {
		t.Errorf("got %q, error %v; want to be greeted", got, err)
	}
	elsewhere := testca.New("development", "another authority", time.Now())
	stranger := elsewhere.Issue(elsewhere.ID("client", "c-1")).TLS()
	if got, err := dial(t, l.Addr().String(), *stranger); err == nil {
		t.Errorf("got %q, want a node of another network to be refused", got)
	}
}

// greet greets everybody who gets through the handshake.
func greet(ctx context.Context, l net.Listener) error {
	context.AfterFunc(ctx, func() { _ = l.Close() })
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil //nolint:nilerr // the test ends
		}
		_, _ = io.WriteString(conn, "hello") // who was refused hears nothing
		_ = conn.Close()
	}
}

func dial(t *testing.T, address string, cert tls.Certificate) (string, error) {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13,
		InsecureSkipVerify: true, // it is the server's part that is tested
	}}
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	return string(text), err
}

func TestReasonSaysWhyANodeIsNotActiveAndSinceWhen(t *testing.T) {
	at := time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		state  identity.State
		status discovery.Status
		live   bool
		cause  string
		want   string
	}{
		"active":              {identity.Active, discovery.Up, true, "", ""},
		"suspect, but active": {identity.Active, discovery.Suspect, true, "heartbeat-late", ""},
		"up without a token":  {identity.Active, discovery.Up, false, "", "disputed"},
		"suspect and silent":  {identity.Active, discovery.Suspect, false, "heartbeat-late", "not-live (suspect since 2026-11-22T17:00:00Z: heartbeat-late)"},
		"down":                {identity.Active, discovery.Down, true, "probe-failed", "down (since 2026-11-22T17:00:00Z: probe-failed)"},
		"down without a word": {identity.Active, discovery.Down, true, "", "down (since 2026-11-22T17:00:00Z)"},
		"draining":            {identity.Draining, discovery.Up, true, "", "draining"},
		"draining and down":   {identity.Draining, discovery.Down, true, "heartbeat-missing", "draining (down since 2026-11-22T17:00:00Z: heartbeat-missing)"},
	} {
		t.Run(name, func(t *testing.T) {
			got := netget.NewServiceNode(discovery.Node{Record: &identity.Record{State: row.state}, Status: row.status, Since: at.Unix(), Live: row.live, Cause: row.cause})
			if got.Reason != row.want || got.Cause != row.cause || got.Active != (row.want == "") {
				t.Errorf("got reason %q, cause %q, active %t; want %q, %q", got.Reason, got.Cause, got.Active, row.want, row.cause)
			}
		})
	}
}
