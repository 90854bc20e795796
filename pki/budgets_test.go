package pki_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// A forker is a registry that has reported one log and signed another.
type forker struct {
	*caller
	other headBody // of the other log
}

func (w *world) forker(t *testing.T, node string) forker {
	t.Helper()
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: node})
	bundle, err := identity.NewBundle(m.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	book, other := newLogbook(t, m), newLogbook(t, m)
	book.grow(t, bundle, w.clock.Now())
	other.grow(t, bundle, w.clock.Now().Add(time.Second))
	c := w.caller(t, "development", m.tls())
	if got := c.do(t, "POST", "/v1/heads", book.report(t, 1, 0, w.clock.Now())); got.status != http.StatusOK {
		t.Fatalf("the first head: %d %s", got.status, got.body)
	}
	return forker{c, other.report(t, 1, 0, w.clock.Now())}
}

// conflict reports the other log.
func (f forker) conflict(t *testing.T) {
	t.Helper()
	if got := f.do(t, "POST", "/v1/heads", f.other); got.code(t) != identity.Equivocation {
		t.Fatalf("the other head: %d %s", got.status, got.body)
	}
}

// events counts the log's entries of one event, with a text in them.
func (w *world) events(event, with string) int {
	n := 0
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "event="+event+" ") && strings.Contains(line, with) {
			n++
		}
	}
	return n
}

// fewEntries is an authority that writes two entries of one kind and no more.
func fewEntries(t *testing.T, networks ...string) *world {
	t.Helper()
	return serveWorld(t, initDir(t, networks...), newClock(), func(c *pki.Config) {
		*c = pki.WithLogLimits(*c, 1e-9, 2)
	})
}

// replay uses a token of a network up, and then again and again.
func (w *world) replay(t *testing.T, network string, times int) {
	t.Helper()
	c := w.caller(t, network)
	body := enrolment{Token: w.token(t, pki.TokenRequest{Network: network, Service: "billing", Node: "n1"}).Token, CSR: plainCSR(t)}
	if got := c.do(t, "POST", "/v1/enroll", body); got.status != http.StatusCreated {
		t.Fatalf("enrolling: %d %s", got.status, got.body)
	}
	for range times {
		wantRefusal(t, c.do(t, "POST", "/v1/enroll", body), http.StatusForbidden, identity.Denied)
	}
}

// Whoever uses a spent token again and again hides no registry that lies, of
// whichever network, and no spent token of another network.
func TestReplaysHideNoHeadConflict(t *testing.T) {
	for _, network := range []string{"development", "production"} {
		t.Run("replays in "+network, func(t *testing.T) {
			w := fewEntries(t, "development", "production")
			r1 := w.forker(t, "r1")
			w.replay(t, network, 5)
			if got := w.events("token-reuse", ""); got != 2 {
				t.Errorf("%d entries of replays, want 2", got)
			}
			r1.conflict(t)
			if got := w.events("head-conflict", "actor=spiffe://"+td+"/registry/r1"); got != 1 {
				t.Errorf("%d entries of the conflict, want 1:\n%s", got, w.log)
			}
		})
	}
	w := fewEntries(t, "development", "production")
	w.replay(t, "production", 5)
	w.replay(t, "development", 1)
	if got := w.events("token-reuse", "network=development"); got != 1 {
		t.Errorf("%d entries of the other network's replay, want 1", got)
	}
}

// A registry that lies again and again hides no other that does.
func TestHeadConflictsOfEachRegistryAreLogged(t *testing.T) {
	w := fewEntries(t, "development")
	r1, r2 := w.forker(t, "r1"), w.forker(t, "r2")
	for range 5 {
		r1.conflict(t)
	}
	r2.conflict(t)
	for node, want := range map[string]int{"r1": 2, "r2": 1} {
		if got := w.events("head-conflict", "/registry/"+node); got != want {
			t.Errorf("%d entries of %s, want %d", got, node, want)
		}
	}
}

// What was left out is told by the next entry of the same kind, and by no other.
func TestEntriesLeftOutAreCountedByBudget(t *testing.T) {
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) { *c = pki.WithLogLimits(*c, 2, 2) })
	w.replay(t, "development", 5)
	w.forker(t, "r1").conflict(t)
	if got := w.events("head-conflict", "left_out="); got != 0 {
		t.Errorf("the conflict's entry tells of the replays:\n%s", w.log)
	}
	body := enrolment{Token: w.token(t, pki.TokenRequest{Service: "billing", Node: "n2"}).Token, CSR: plainCSR(t)}
	c := w.caller(t, "development")
	for began := time.Now(); w.events("token-reuse", "left_out=") == 0; {
		if time.Since(began) > time.Minute {
			t.Fatalf("nothing tells of the entries left out:\n%s", w.log)
		}
		c.do(t, "POST", "/v1/enroll", body)
	}
}
