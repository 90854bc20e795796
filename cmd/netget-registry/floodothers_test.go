package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// The other clients: how many keep their connection and how many make a new
// one for each question, and how often each asks.
const (
	otherKeepers  = 16
	otherNewcomer = 2
	askEvery      = 100 * time.Millisecond // half of what a client may
	askEveryNew   = 250 * time.Millisecond
	askTimeout    = time.Minute
)

// others are clients that ask all the time, and how long they waited.
type others struct {
	t       *testing.T
	clients []*otherClient
	stop    context.CancelFunc
	all     sync.WaitGroup

	mu    sync.Mutex
	phase string               // what goes on; "" is not counted; guarded by mu
	took  map[phaseKind]spread // guarded by mu
	errs  int                  // guarded by mu
}

// A phaseKind is what went on while a client of a kind asked.
type phaseKind struct {
	phase  string
	newish bool // a new connection for each question
}

type otherClient struct {
	http   *http.Client
	url    string
	newish bool
	every  time.Duration
}

func newOthers(t *testing.T, w *drillWorld) *others {
	t.Helper()
	o := &others{t: t, took: map[phaseKind]spread{}}
	addrs := manyAddresses(1)
	for i := range otherKeepers + otherNewcomer {
		source := w.enrolNamed(t, "client", fmt.Sprintf("other-%d", i))
		c := &otherClient{url: "https://" + w.address + "/v1/services/databaseservice", newish: i >= otherKeepers, every: askEvery}
		if c.newish {
			c.every = askEveryNew
		}
		c.http = clientFrom(source, addrs[i%len(addrs)], c.newish)
		o.clients = append(o.clients, c)
	}
	return o
}

// clientFrom returns a client of the network at an address of this machine.
func clientFrom(source *identity.Source, from netip.Addr, newish bool) *http.Client {
	return &http.Client{Timeout: askTimeout, Transport: &http.Transport{
		DisableKeepAlives: newish,
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dialTLS(ctx, source, from, addr)
		},
	}}
}

// begin lets all ask until end.
func (o *others) begin(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o.stop = cancel
	for _, c := range o.clients {
		if _, err := c.ask(ctx); err != nil {
			t.Fatal(err)
		}
		o.all.Go(func() { o.run(ctx, c) })
	}
}

func (o *others) end() {
	o.stop()
	o.all.Wait()
}

// during says what goes on from now on.
func (o *others) during(phase string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase = phase
}

// run asks at each tick. Who waits for an answer misses none: the wait counts
// from the tick at which the question was due.
func (o *others) run(ctx context.Context, c *otherClient) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		var due time.Time
		select {
		case <-ctx.Done():
			return
		case due = <-tick.C:
		}
		o.mu.Lock()
		kind := phaseKind{o.phase, c.newish}
		o.mu.Unlock()
		status, err := c.ask(ctx)
		took := time.Since(due)
		if ctx.Err() != nil {
			return
		}
		o.note(kind, took, status, err)
	}
}

func (o *others) note(kind phaseKind, took time.Duration, status int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil || status != http.StatusOK {
		o.errs++
		o.t.Errorf("another client was not served while %q went on: status %d, %v", kind.phase, status, err)
		return
	}
	if kind.phase != "" {
		o.took[kind] = append(o.took[kind], took)
	}
}

func (c *otherClient) ask(ctx context.Context) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// report compares what the others waited in each phase with the quiet one.
func (o *others) report(t *testing.T) {
	t.Helper()
	defer func() {
		testdrill.Say(t, "%s: %d questions of other clients were not answered (limit 0)", testdrill.Verdict(o.errs == 0), o.errs)
	}()
	if !testdrill.Full(t) {
		return // so few say nothing
	}
	for _, newish := range []bool{false, true} {
		who := "clients on their connections"
		if newish {
			who = "clients that connect anew"
		}
		for _, phase := range append(muteKinds(), oneAddressFlood, comingFlood, idleFlood) {
			got, quiet := o.took[phaseKind{phase, newish}], o.took[phaseKind{quietBefore(phase), newish}]
			if len(got) == 0 || len(quiet) == 0 {
				continue
			}
			ratio := float64(got.part(0.99)) / float64(quiet.part(0.99))
			testdrill.Say(t, "%s: %s, %s: p99 %s of %d, quiet before %s of %d: %.2f × (limit 2); p50 %s, quiet %s",
				testdrill.Verdict(ratio <= 2), who, phase, ms(got.part(0.99)), len(got), ms(quiet.part(0.99)), len(quiet), ratio, ms(got.part(0.5)), ms(quiet.part(0.5)))
		}
	}
}
