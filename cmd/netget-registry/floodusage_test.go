package main_test

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/internal/testdrill"
)

// usage is what the process uses, by its own metrics.
type usage struct{ resident, heap, goroutines, descriptors, connections float64 }

func (u usage) most(v usage) usage {
	return usage{
		math.Max(u.resident, v.resident), math.Max(u.heap, v.heap), math.Max(u.goroutines, v.goroutines),
		math.Max(u.descriptors, v.descriptors), math.Max(u.connections, v.connections),
	}
}

// String is for reports.
func (u usage) String() string {
	return fmt.Sprintf("%.1f MiB resident (%.1f MiB heap in use), %.0f descriptors, %.0f goroutines, %.0f connections",
		u.resident/(1<<20), u.heap/(1<<20), u.descriptors, u.goroutines, u.connections)
}

// usage reads the metrics of the registry.
func (w *drillWorld) usage(t *testing.T) usage {
	t.Helper()
	u, err := readUsage(t.Context(), w.registry.ops+"/metrics")
	if err != nil {
		t.Fatalf("reading the metrics: %v\n%s", err, w.registry.finalLog())
	}
	return u
}

func readUsage(ctx context.Context, url string) (u usage, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return u, err
	}
	resp, err := (&http.Client{Timeout: askTimeout}).Do(req)
	if err != nil {
		return u, err
	}
	defer func() { _ = resp.Body.Close() }()
	known := map[string]*float64{
		"process_resident_memory_bytes": &u.resident, "go_memstats_heap_inuse_bytes": &u.heap,
		"go_goroutines": &u.goroutines, "process_open_fds": &u.descriptors, "netget_registry_connections": &u.connections,
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if known[name] == nil {
			continue
		}
		if *known[name], err = strconv.ParseFloat(value, 64); err != nil {
			return u, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	return u, lines.Err()
}

// watchUsage keeps the most that the process uses, until stop is called.
func (w *floodWorld) watchUsage(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if u, err := readUsage(ctx, w.registry.ops+"/metrics"); err == nil {
				w.peak = w.peak.most(u)
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// settled waits until the process has given back what the floods took, for at
// most so long. Connections and goroutines must be back on any machine; memory
// is the garbage collector's and the system's, and is only reported.
func (w *floodWorld) settled(t *testing.T, before usage, within time.Duration) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	after := w.usage(t)
	for time.Since(began) < within && (!after.isBack(before) || !after.isLight(before, w.peak)) {
		<-tick.C
		after = w.usage(t)
		if !testdrill.Full(t) && after.isBack(before) {
			break
		}
	}
	testdrill.Say(t, "      before:     %s", before)
	testdrill.Say(t, "      at most:    %s", w.peak)
	testdrill.Say(t, "      afterwards: %s", after)
	testdrill.Say(t, "%s: descriptors and goroutines are back", testdrill.Verdict(after.isBack(before)))
	if !after.isBack(before) {
		t.Errorf("the process did not give back what it used: %s, before the floods %s", after, before)
	}
	if !testdrill.Full(t) {
		return
	}
	testdrill.Say(t, "%s: memory is back: %.1f MiB more than before %s after the last flood, of %.1f MiB at most (limit a quarter)", testdrill.Verdict(after.isLight(before, w.peak)),
		(after.resident-before.resident)/(1<<20), time.Since(began).Round(time.Second), (w.peak.resident-before.resident)/(1<<20))
}

// isBack reports whether nothing that is counted is held for the floods. The
// clients that connect anew may be there or not, each with a descriptor and a
// few goroutines.
func (u usage) isBack(before usage) bool {
	const slack = 4 * otherNewcomer
	return u.descriptors <= before.descriptors+slack && u.goroutines <= before.goroutines+slack && u.connections <= before.connections+slack
}

// isLight reports whether three quarters of the memory were given back.
func (u usage) isLight(before, peak usage) bool {
	return u.resident-before.resident <= (peak.resident-before.resident)/4
}

// listNodes registers nodes of databaseservice, for questions to have answers.
func (w *drillWorld) listNodes(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		node := &crashNode{source: w.enrolNamed(t, "databaseservice", fmt.Sprintf("db-%d", i)), marks: discovery.NewMarks()}
		node.restart(w.newDiscovery(t, node.source, node.marks, time.Now))
		if err := node.registerOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		node.client.Close()
	}
}
