package registry_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// A fakeAuthority answers POST /v1/heads as the authority does: it verifies
// reports like a client and keeps the mark.
type fakeAuthority struct {
	w       *world
	reports chan string // what became of each

	mu        sync.Mutex
	mark      *identity.RegistryMark // guarded by mu
	intrusion func(*fakeAuthority)   // guarded by mu; runs once before a report
	class     identity.Code          // guarded by mu; reports are refused with it unless empty
}

// newFakeAuthority serves the authority of w and names it in w's identity.
func newFakeAuthority(t *testing.T, w *world) *fakeAuthority {
	t.Helper()
	a := &fakeAuthority{w: w, reports: make(chan string, 16)}
	key, cert := w.ca.CAServer()
	shown := &tls.Certificate{Certificate: [][]byte{cert.Raw, w.ca.NodeIssuer.Raw}, PrivateKey: key}
	tenant := &identity.Tenant{
		Credential: func() *tls.Certificate { return shown },
		Verify: func(state tls.ConnectionState) error {
			_, err := identity.VerifyPeer(state, w.ca.Bundle(), identity.ClientUse, w.now())
			return err
		},
	}
	server := &http.Server{
		Handler: a, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo), ReadHeaderTimeout: time.Minute,
		TLSConfig: identity.ServerTLS(func(sni string) *identity.Tenant {
			if sni != w.ca.TD.CAName() {
				return nil
			}
			return tenant
		}),
	}
	l := listen(t)
	done := make(chan struct{})
	go func() { _ = server.ServeTLS(l, "", ""); close(done) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	err := w.source.Update(func(current *identity.Identity) (*identity.Identity, error) {
		next := *current
		next.Document.CA = "https://" + l.Addr().String()
		return &next, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ServeHTTP answers as docs/protocol.md section 6 says.
func (a *fakeAuthority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/heads" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	status, what := a.take(body)
	if a.class != "" && what != "asked" {
		a.refuse(w, what)
		return
	}
	mark := identity.RegistryMark{}
	if a.mark != nil {
		mark = *a.mark
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"version": mark.Version, "log": mark.Log})
	a.reports <- what
}

// refuse answers with the class; a.mu is held.
func (a *fakeAuthority) refuse(w http.ResponseWriter, what string) {
	p := identity.NewProblem(a.class)
	w.Header().Set("Content-Type", discovery.ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
	a.reports <- what
}

func (a *fakeAuthority) take(body []byte) (status int, what string) {
	var report struct {
		discovery.Seal
		CRLs   identity.Hash `json:"crls"`
		Bundle identity.Hash `json:"bundle"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return http.StatusBadRequest, err.Error()
	}
	if report.Head == "" {
		return http.StatusOK, "asked"
	}
	if a.intrusion != nil {
		a.intrusion(a)
		a.intrusion = nil
	}
	if c := report.Consistency; c != nil && (a.mark == nil || c.From != a.mark.Version) || c == nil && a.mark != nil && a.mark.Version > 1 {
		return http.StatusConflict, "elsewhere"
	}
	crls, _ := a.w.ca.Bundle().CRLHash()
	head, err := discovery.NewOpener(a.w.ca.Bundle()).Head(body, discovery.Ask{Mark: a.mark, Now: a.w.now()})
	if err != nil || report.CRLs != crls || report.Bundle.IsZero() {
		return http.StatusBadRequest, "refused: " + err.Error()
	}
	mark := head.Mark()
	a.mark = &mark
	return http.StatusOK, "taken"
}

// hears fails unless the authority hears just this next, and soon.
func (a *fakeAuthority) hears(t *testing.T, want ...string) {
	t.Helper()
	soon := time.After(25 * time.Second) // before the next turn
	for _, one := range want {
		select {
		case got := <-a.reports:
			if got != one {
				t.Fatalf("the authority heard %q, want %q", got, one)
			}
		case <-soon:
			t.Fatalf("the authority heard nothing, want %q", one)
		}
	}
}

// heard returns what the authority has heard since, when nobody reports any more.
func (a *fakeAuthority) heard() (all []string) {
	for {
		select {
		case one := <-a.reports:
			all = append(all, one)
		default:
			return all
		}
	}
}

func TestHeadsAreReported(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	a := newFakeAuthority(t, w)
	s := serve(t, nil, w)
	registry.WaitForTheLastReport(s.Server)
	marks := registry.AuthorityMarks(w.source, time.Now)
	if got, err := marks(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("a mark before any report: %v, %v", got, err)
	}
	a.hears(t, "asked")

	stop := background(t, s.ReportHeads)
	a.hears(t, "asked", "taken")
	n := newNode(t, w, s, "databaseservice", "db-1")
	n.register(1)
	a.hears(t, "taken") // soon, linked by a consistency proof
	record, _ := n.register(2)
	stop()
	// The end may have met a report on its way; then the authority is asked again.
	if got := a.heard(); !slices.Contains(got, "taken") {
		t.Errorf("at the end the authority heard %q, want a report", got)
	}
	got, err := marks(t.Context())
	if newest := w.catalog.Snapshot().Head(); err != nil || len(got) != 1 || got[0].Version != newest.Version || got[0].Log != newest.Log {
		t.Errorf("the authority's mark is %v, %v", got, err)
	}
	a.hears(t, "asked")

	before := w.catalog.Snapshot().Head().Mark()
	removeNode(t, n, record)
	newer := w.catalog.Snapshot().Head().Mark()
	a.mu.Lock()
	a.intrusion = func(a *fakeAuthority) { a.mark = &newer }
	a.mu.Unlock()
	n.register(3, func(r *identity.Record) { r.Epoch++; r.IAT, r.Exp = r.IAT+1, r.Exp+1 })
	if before.Version == newer.Version {
		t.Fatal("no newer version")
	}
	background(t, s.ReportHeads)
	a.hears(t, "asked", "elsewhere", "taken")
}

func TestAnAuthorityThatIsGoneIsTolerated(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	err := w.source.Update(func(current *identity.Identity) (*identity.Identity, error) {
		next := *current
		l := listen(t)
		next.Document.CA = "https://" + l.Addr().String()
		return &next, l.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.AuthorityMarks(w.source, time.Now)(t.Context()); err == nil {
		t.Error("an authority that is gone gave its mark")
	}
	s := serve(t, nil, w)
	background(t, s.ReportHeads)()
}
