package auditlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
)

const td = "spiffe://production.netget.internal/"

func clock() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// entries are an hour apart, the last at clock.
func entries() []audit.Entry {
	list := []audit.Entry{
		{Event: audit.Registered, Network: "production", Actor: td + "billing/b-1", Node: td + "billing/b-1", RID: "first", Version: 2},
		{Event: audit.StatementRefused, Network: "production", Actor: td + "billing/b-2", Code: "denied", Reason: "\x1b[31mred\u202e"},
		{Event: audit.HandshakeRefused, Remote: "192.0.2.7:4711", Code: "certificate"},
		{Event: audit.OperatorTombstone, Network: "staging", Actor: "spiffe://staging.netget.internal/operator/o", Node: "spiffe://staging.netget.internal/mail/b-1", RID: "second"},
	}
	for i := range list {
		list[i].Time = clock().Add(time.Duration(i-len(list)+1) * time.Hour)
	}
	return list
}

// An output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run runs the command on a home.
func run(ctx context.Context, home string, out *output, args ...string) (code int, stderr string) {
	var log bytes.Buffer
	p := cli.New(cli.Process{
		Args: append([]string{"audit", "--home", home}, args...), Stdin: strings.NewReader(""), Stdout: out, Stderr: &log, Now: clock,
	}, cli.Config{Name: "netget-registry", Folder: "registry"})
	p.Root.AddCommand(auditlog.Command(p, cli.Home.Registry))
	return p.Run(ctx), log.String()
}

// newHome returns a home with the audit log, and that log's file.
func newHome(t *testing.T) (home, file string) {
	t.Helper()
	home = t.TempDir()
	file = filepath.Join(home, "registry", "audit", "audit.jsonl")
	for _, e := range entries() {
		if err := audit.Append(file, e); err != nil {
			t.Fatal(err)
		}
	}
	return home, file
}

func TestFilters(t *testing.T) {
	home, _ := newHome(t)
	for _, tt := range []struct {
		args string
		want string
	}{
		{"", "0123"},
		{"--since 90m", "23"},
		{"--since 2026-01-02T11:00:00Z", "23"},
		{"--until 1h", "01"},
		{"--since 2026-01-02T10:00 --until 2026-01-02T11:00", "1"},
		{"--since 2026-01-02", "0123"},
		{"--event registered --event handshake-refused", "02"},
		{"--node b-1", "03"},
		{"--node mail/b-1", "3"},
		{"--node " + td + "billing/b-1", "0"},
		{"--node 1", ""},
		{"--node B-1 --network Production", "0"},
		{"--actor b-2", "1"},
		{"--actor 192.0.2.7", "2"},
		{"--actor 192.0.2.7:4711", "2"},
		{"--actor 192.0.2.77", ""},
		{"--rid second", "3"},
		{"--code denied", "1"},
		{"-n 2", "23"},
		{"-n 1 --network production", "1"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var out output
			if code, stderr := run(t.Context(), home, &out, append(strings.Fields(tt.args), "-o", "json")...); code != 0 || stderr != "" {
				t.Fatalf("code %d: %s", code, stderr)
			}
			var printed struct{ Entries []audit.Entry }
			if err := json.Unmarshal([]byte(out.String()), &printed); err != nil || printed.Entries == nil {
				t.Fatalf("%v: %s", err, &out)
			}
			var got string
			for _, e := range printed.Entries {
				for i, known := range entries() {
					if e.Event == known.Event {
						got += string(rune('0' + i))
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What strangers wrote is shown, and not obeyed.
func TestTheTableCannotBeForged(t *testing.T) {
	home, _ := newHome(t)
	for _, format := range []string{"table", "json", "yaml", "name"} {
		var out output
		if code, stderr := run(t.Context(), home, &out, "-o", format); code != 0 {
			t.Fatalf("code %d: %s", code, stderr)
		}
		if text := out.String(); strings.ContainsAny(text, "\x1b\u202e") || format == "table" && !strings.Contains(text, "[31mred") {
			t.Errorf("-o %s prints %q", format, text)
		}
	}
}

// --follow prints what is there, then what comes, one entry a line, and ends well
// when it is told to.
func TestFollowEndsWellWhenItIsStopped(t *testing.T) {
	home, file := newHome(t)
	for format, want := range map[string][]string{
		"json":  {`{"time":"2026-01-02T12:00:00Z","event":"operator-tombstone",`, `{"time":"2026-01-02T12:00:00Z","event":"stopped","network":"","actor":"",`},
		"table": {"2026-01-02T12:00:00Z  operator-tombstone  staging  operator/o  mail/b-1  rid second", "2026-01-02T12:00:00Z  stopped"},
		"name":  {"operator-tombstone", "stopped"},
	} {
		t.Run(format, func(t *testing.T) {
			var out output
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan int, 1)
			go func() {
				code, _ := run(ctx, home, &out, "--follow", "-o", format, "-n", "1", "--event", "operator-tombstone", "--event", "stopped", "--until", "2026-01-03")
				ended <- code
			}()
			lines := func(n int) []string {
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for began := time.Now(); strings.Count(out.String(), "\n") < n; <-tick.C {
					if time.Since(began) > time.Minute {
						t.Fatalf("%d lines did not come: %q", n, &out)
					}
				}
				return strings.Split(out.String(), "\n")
			}
			first := lines(1)
			for _, e := range []audit.Event{audit.Started, audit.Stopped} {
				if err := audit.Append(file, audit.Entry{Time: clock(), Event: e}); err != nil {
					t.Fatal(err)
				}
			}
			got := lines(2)
			cancel()
			if code := <-ended; code != 0 {
				t.Errorf("it ended with %d", code)
			}
			if len(first) > 2 || !strings.HasPrefix(got[1], want[1]) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
		home, file = newHome(t)
	}
}
