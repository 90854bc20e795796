//go:build strace

package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// How many nodes register, each how often while it is traced. The registry
// takes ten records of a node at once, and the first comes before.
const (
	tracedNodes   = 5
	tracedRecords = 9
	tracedBeats   = 20
)

// TestSyncBeforeAcknowledgement has the kernel tell what the registry does:
// between the last byte of a registration that it reads and the first of its
// reply that it writes, a sync of the store's log has returned. Heartbeats,
// which are acknowledged without one, show that the trace can tell.
//
// It needs strace, and the right to trace; 'make drill-sync' says so.
func TestSyncBeforeAcknowledgement(t *testing.T) {
	w := newDrillWorld(t)
	w.start(t)
	nodes := w.tracedNodes(t)
	stop := w.trace(t)
	for range tracedRecords {
		for _, n := range nodes {
			if err := n.registerOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	records := len(nodes) * tracedRecords
	for i := range tracedBeats {
		nodes[i%len(nodes)].traceBeat(t)
	}
	exchanges := readTrace(t, stop(), w.address)

	if len(exchanges) != records+tracedBeats {
		t.Fatalf("%d replies were traced, want %d", len(exchanges), records+tracedBeats)
	}
	var synced, control int
	var waits spread
	for i, x := range exchanges[:records] {
		if !x.synced {
			t.Errorf("registration %d was acknowledged without a sync:\n%s", i+1, strings.Join(x.lines, "\n"))
			continue
		}
		synced++
		waits = append(waits, x.replied-x.syncedAt)
	}
	for _, x := range exchanges[records:] {
		if !x.synced {
			control++
		}
	}
	if control < tracedBeats/2 {
		t.Errorf("%d of %d heartbeats look synced: the trace cannot tell", tracedBeats-control, tracedBeats)
	}
	testdrill.Say(t, "      one of them:\n        %s", strings.Join(exchanges[0].lines, "\n        "))
	testdrill.Say(t, "%s: of %d acknowledged registrations, %d replies were written after the store's log was written and synced (limit: all), p50 %s after; of %d heartbeats %d were acknowledged without a sync (the control)",
		testdrill.Verdict(!t.Failed()), records, synced, ms(waits.part(0.5)), tracedBeats, control)
}

// tracedNodes returns nodes that are connected and registered.
func (w *drillWorld) tracedNodes(t *testing.T) []*crashNode {
	t.Helper()
	nodes := make([]*crashNode, 0, tracedNodes)
	for i := range tracedNodes {
		n := &crashNode{source: w.enrolNamed(t, "databaseservice", fmt.Sprintf("db-%d", i)), marks: discovery.NewMarks()}
		n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
		t.Cleanup(n.client.Close)
		if err := n.registerOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// traceBeat sends a heartbeat that says nothing new, but needs a reply.
func (n *crashNode) traceBeat(t *testing.T) {
	t.Helper()
	anchor := identity.Beat{K: 0, Token: n.chain.Anchor()}
	_, err := n.client.Beat(t.Context(), n.client.Remotes()[0], n.acknowledged, anchor, false)
	if code := identity.CodeOf(err); err != nil && code != identity.Limits && code != identity.Busy {
		t.Fatal(err)
	}
}

// trace traces the registry from when it returns until stop is called, which
// returns the trace's file.
func (w *drillWorld) trace(t *testing.T) (stop func() (path string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-ttt", "-yy", "-s", "0", "-o", path,
		"-e", "trace=read,write,writev,sendmsg,pwrite64,fsync,fdatasync", "-p", fmt.Sprint(w.registry.cmd.Process.Pid))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		t.Fatalf("strace is not allowed to trace the registry; root may: %s", lines.Text())
	}
	return func() string {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // until it has ended
		}
		_ = cmd.Wait() // it ended by the signal
		return path
	}
}

// An exchange is a request and its reply as the kernel saw them.
type exchange struct {
	lines    []string // from the read to the write
	written  bool     // the store's log was written to
	synced   bool     // and synced after that
	syncedAt time.Duration
	replied  time.Duration
}

// A call is one line of a trace.
type call struct {
	at            time.Duration
	name, on      string // what is called, on which file or connection
	begins, comes bool   // the line shows its beginning, its result
	worked        bool   // and it did not fail
	line          string
}

// readTrace returns the exchanges on connections of the registry's port.
func readTrace(t *testing.T, path, address string) (done []*exchange) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	open := map[string]*exchange{} // by connection
	unfinished := map[string]call{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		c, ok := parseCall(lines.Text(), unfinished)
		if !ok {
			continue
		}
		if strings.HasPrefix(c.on, "TCP:["+address+"->") {
			done = append(done, c.talk(open)...)
			continue
		}
		for _, x := range open {
			x.store(c)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return done
}

// talk follows a connection; it returns the exchange that has ended.
func (c call) talk(open map[string]*exchange) (done []*exchange) {
	x := open[c.on]
	switch {
	case c.name == "read" && c.comes && c.worked:
		if x == nil {
			x = &exchange{}
		}
		*x = exchange{lines: append(x.lines, c.line)} // of several reads the last counts
		open[c.on] = x
	case c.name != "read" && c.begins && x != nil:
		x.lines, x.replied = append(x.lines, c.line), c.at
		delete(open, c.on)
		return []*exchange{x}
	}
	return nil
}

// store follows what happens to the store's log.
func (x *exchange) store(c call) {
	if !strings.HasSuffix(c.on, "registry.db-wal") || !c.comes || !c.worked {
		return
	}
	x.lines = append(x.lines, c.line)
	switch c.name {
	case "pwrite64", "write":
		x.written, x.synced = true, false
	case "fsync", "fdatasync":
		x.synced, x.syncedAt = x.written, c.at
	}
}

// parseCall reads a line such as
//
//	4711 1732280000.123456 read(7<TCP:[127.0.0.1:1->127.0.0.1:2]>, ""..., 4096) = 5
//
// which may come in two parts, unfinished and resumed.
func parseCall(line string, unfinished map[string]call) (call, bool) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return call{}, false
	}
	thread, stamp, rest := fields[0], fields[1], strings.Join(fields[2:], " ")
	at, err := time.ParseDuration(stamp + "s")
	if err != nil {
		return call{}, false
	}
	_, result, comes := strings.Cut(rest, ") = ")
	if strings.HasPrefix(rest, "<... ") {
		c, known := unfinished[thread]
		delete(unfinished, thread)
		c.at, c.begins, c.comes, c.worked, c.line = at, false, comes, worked(result), rest+" // on "+c.on
		return c, known && comes
	}
	name, args, found := strings.Cut(strings.TrimSuffix(rest, " <unfinished ...>"), "(")
	_, on, _ := strings.Cut(args, "<")
	on, _, _ = strings.Cut(on, ">,")
	on = strings.TrimSuffix(strings.TrimSuffix(on, ") = "+result), ">")
	c := call{at: at, name: name, on: on, begins: true, comes: comes, worked: worked(result), line: rest}
	if !comes {
		unfinished[thread] = c
	}
	return c, found
}

// worked reports whether a result is neither a failure nor an end.
func worked(result string) bool { return result != "" && result[0] != '-' && result[0] != '?' }
