package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// tokenSizes are how often one token is used at once, how often that is tried,
// and how many forged tokens come.
type tokenSizes struct{ uses, rounds, forged int }

func tokenSizesOf(t *testing.T) tokenSizes {
	t.Helper()
	if testdrill.Full(t) {
		return tokenSizes{uses: 200, rounds: 20, forged: 10_000}
	}
	return tokenSizes{uses: 10, rounds: 2, forged: 60}
}

// TestOneTokenGivesOneCertificate has one join token used many times at once,
// each time for another key, against the program in a process of its own.
// Exactly one use gets a certificate, all others are denied, and the inventory
// knows of one.
func TestOneTokenGivesOneCertificate(t *testing.T) {
	sizes := tokenSizesOf(t)
	a := newTokenAuthority(t)
	var took time.Duration
	for round := range sizes.rounds {
		node := fmt.Sprintf("race-%d", round)
		outcomes, lasted := a.race(t, a.token(t, node), sizes.uses, a.addresses(round))
		took = max(took, lasted)
		want := map[string]int{"certificate": 1, string(identity.Denied): sizes.uses - 1}
		if !maps.Equal(outcomes, want) {
			t.Errorf("round %d: %v, want %v", round, outcomes, want)
		}
		if got := a.certificates(t, node); got != 1 {
			t.Errorf("round %d: the inventory has %d certificates of %s, want 1", round, got, node)
		}
	}
	testdrill.Say(t, "%s: %d rounds of %d uses of one token at once: one certificate each (limit 1), all others denied; a round took %s at most",
		testdrill.Verdict(!t.Failed()), sizes.rounds, sizes.uses, took.Round(time.Millisecond))
}

// TestForgedTokensLeaveNoTrace sends forged tokens of every kind. Each is
// judged and refused with its class, and every row and file of the authority
// is as it was before.
func TestForgedTokensLeaveNoTrace(t *testing.T) {
	sizes := tokenSizesOf(t)
	a := newTokenAuthority(t)
	forgers := newForgers(t, a.token(t, "template"), newTokenAuthority(t).token(t, "template"))
	rows, files := a.rows(t), a.files(t)
	began := time.Now()
	judged, busy := a.forge(t, forgers, sizes.forged)
	took := time.Since(began)
	if got := a.rows(t); !slices.Equal(got, rows) {
		t.Errorf("rows of the inventory have changed: %d before, %d now", len(rows), len(got))
	}
	if got := a.files(t); !maps.Equal(got, files) {
		t.Errorf("files have changed:\nbefore %v\nnow    %v", files, got)
	}
	if judged+busy != sizes.forged || judged == 0 {
		t.Errorf("%d of %d tokens were judged, %d refused unjudged", judged, sizes.forged, busy)
	}
	testdrill.Say(t, "%s: %d forged tokens of %d kinds, %d judged and each refused with its class, %d refused unjudged (429) in %s; %d rows and %d files of the authority unchanged",
		testdrill.Verdict(!t.Failed()), sizes.forged, len(forgers), judged, busy, took.Round(time.Millisecond), len(rows), len(files))
}

// race uses a token many times at once and counts what came of it.
func (a *tokenAuthority) race(t *testing.T, token string, uses int, from []address) (outcomes map[string]int, took time.Duration) {
	t.Helper()
	conns := make([]*enrolConn, uses)
	bodies := make([][]byte, uses)
	for i := range conns {
		bodies[i] = enrolBody(t, token)
	}
	var connecting sync.WaitGroup
	for i := range conns {
		connecting.Go(func() { conns[i] = a.connect(t, from[i%len(from)]) })
	}
	connecting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	var using sync.WaitGroup
	var mu sync.Mutex
	outcomes = map[string]int{}
	start, began := make(chan struct{}), time.Now()
	for i, c := range conns {
		using.Go(func() {
			<-start
			outcome := c.enrol(t, bodies[i])
			mu.Lock()
			defer mu.Unlock()
			outcomes[outcome]++
		})
	}
	close(start)
	using.Wait()
	for _, c := range conns {
		c.close()
	}
	return outcomes, time.Since(began)
}

// forge sends forged tokens, several connections at a time, and counts those
// that were judged and those refused because too many came.
func (a *tokenAuthority) forge(t *testing.T, forgers []forger, n int) (judged, busy int) {
	t.Helper()
	const each = 50 // of one address, which may be refused 100 times
	work := make(chan int)
	var mu sync.Mutex
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			for first := range work {
				ok, later := a.forgeFrom(t, a.addresses(100 + first/each)[0], forgers, first, min(first+each, n))
				mu.Lock()
				judged, busy = judged+ok, busy+later
				mu.Unlock()
			}
		})
	}
	for first := 0; first < n; first += each {
		work <- first
	}
	close(work)
	sending.Wait()
	return judged, busy
}

// forgeFrom sends the tokens first to last from one address.
func (a *tokenAuthority) forgeFrom(t *testing.T, from address, forgers []forger, first, last int) (judged, busy int) {
	t.Helper()
	c := a.connect(t, from)
	if c == nil {
		return 0, 0
	}
	defer c.close()
	for i := first; i < last; i++ {
		f := forgers[i%len(forgers)]
		switch outcome := c.enrol(t, enrolBody(t, f.make())); outcome {
		case string(f.want):
			judged++
		case string(identity.Busy):
			busy++
		default:
			t.Errorf("%s: %s, want %s", f.name, outcome, f.want)
		}
	}
	return judged, busy
}

// outcomeOf names what a reply says: certificate, or the class of a refusal.
func outcomeOf(resp *http.Response, body []byte) string {
	if resp.StatusCode == http.StatusCreated {
		return "certificate"
	}
	return string(identity.ParseProblem(resp.StatusCode, resp.Header, body).Code)
}
