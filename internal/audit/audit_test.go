package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/internal/audit"
)

// A diary is a log that runs.
type diary struct {
	path     string
	log      *audit.Log
	out      *slog.Logger
	ordinary bytes.Buffer // what the ordinary log has heard; read after stop
	stop     func()
}

func start(t *testing.T, cfg audit.Config) *diary {
	t.Helper()
	d := &diary{path: cfg.Path}
	if d.path == "" {
		d.path = filepath.Join(t.TempDir(), "audit", "audit.jsonl")
		cfg.Path = d.path
	}
	ordinary := slog.New(slog.NewTextHandler(&d.ordinary, nil))
	cfg.Logger = ordinary
	var err error
	if d.log, err = audit.Open(cfg); err != nil {
		t.Fatal(err)
	}
	d.out = d.log.With(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = d.log.Run(ctx) })
	d.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(d.stop)
	return d
}

func (d *diary) write(t *testing.T, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		e.Write(t.Context(), d.out)
	}
}

// read returns the entries, and what was skipped.
func read(t *testing.T, path string) (list []audit.Entry, skipped []audit.Skipped) {
	t.Helper()
	skipped, err := audit.Read(path, func(e audit.Entry) error {
		list = append(list, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, skipped
}

func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

func TestEntriesAreReadAsTheyWereWritten(t *testing.T) {
	d := start(t, audit.Config{})
	want := []audit.Entry{
		{
			Time: at(1), Event: audit.StatementRefused, Network: "production", Actor: "spiffe://production.netget.internal/a/b",
			Remote: "192.0.2.1:4711", Node: "n", RID: "r", Serial: "5e", Code: "denied", Reason: `why "so"`, Version: 7, LeftOut: 3,
		},
		{Time: at(2), Event: audit.Started},
	}
	d.write(t, want...)
	d.stop()
	got, skipped := read(t, d.path)
	if diff := cmp.Diff(want, got); diff != "" || len(skipped) != 0 {
		t.Errorf("skipped %v\n%s", skipped, diff)
	}
	if d.log.Lost() != 0 {
		t.Errorf("%d entries were lost", d.log.Lost())
	}
}

// Texts of strangers are bounded, and nothing in them is obeyed by a terminal:
// neither as written nor as read, whoever wrote it.
func TestTextsOfStrangersAreBoundedAndHarmless(t *testing.T) {
	const hostile = "a\x1b]0;owned\x07\r\nb\u202ec\u009bd\xff"
	d := start(t, audit.Config{})
	d.write(t, audit.Entry{Time: at(1), Event: audit.RequestRefused, Reason: hostile, Remote: hostile}, audit.Entry{Time: at(2), Event: audit.RequestRefused, Reason: strings.Repeat("é", 100_000)})
	d.stop()
	text, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 2048 || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("two entries take %d bytes: %.300q", len(text), text)
	}
	forged := fmt.Sprintf(`{"time":"2026-01-02T03:04:05Z","event":"started\u001b","reason":"\u001b[2J\u202e%s"}`+"\n", strings.Repeat("x", 4000))
	if err := os.WriteFile(d.path, append(text, forged...), 0o600); err != nil {
		t.Fatal(err)
	}
	list, _ := read(t, d.path)
	if len(list) != 3 {
		t.Fatalf("%d entries, want 3", len(list))
	}
	for _, e := range list {
		for _, text := range []string{e.Reason, e.Remote, string(e.Event)} {
			if strings.ContainsAny(text, "\x1b\x07\r\n\u202e\u009b") || !utf8.ValidString(text) || len(text) > 640 {
				t.Errorf("shown: %.300q", text)
			}
		}
	}
	if !strings.HasPrefix(list[0].Reason, "a") || !strings.Contains(list[1].Reason, "… and 199488 bytes") {
		t.Errorf("%q, %.700q", list[0].Reason, list[1].Reason)
	}
}

func TestFilesAreOfTheirOwnerAloneWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	d := start(t, audit.Config{MaxBytes: 100})
	d.write(t, audit.Entry{Event: audit.Started, Reason: strings.Repeat("x", 90)})
	d.stop()
	more := start(t, audit.Config{Path: d.path, MaxBytes: 100})
	more.write(t, audit.Entry{Event: audit.Started})
	more.stop()
	for name, want := range map[string]fs.FileMode{".": 0o700, "audit.jsonl": 0o600, "audit.000001.jsonl": 0o600} {
		st, err := os.Stat(filepath.Join(filepath.Dir(d.path), name))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, st, err, want)
		}
	}
}

// However much comes, the folder holds so many files of so many bytes, and what
// is left is the newest, in order.
func TestTheDiskIsBounded(t *testing.T) {
	d := start(t, audit.Config{MaxBytes: 2000, Files: 3})
	for i := range 200 {
		d.write(t, audit.Entry{Event: audit.Registered, Version: int64(i + 1)})
		d.idle(t)
	}
	d.stop()
	files, err := os.ReadDir(filepath.Dir(d.path))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, want 3: %v, %v", len(files), files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Size() > 2000 {
			t.Errorf("%s: %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
	list, _ := read(t, d.path)
	for i, e := range list {
		if want := int64(200 - len(list) + 1 + i); e.Version != want {
			t.Fatalf("entry %d of %d is version %d, want %d", i, len(list), e.Version, want)
		}
	}
	if len(list) < 20 {
		t.Errorf("%d entries are left", len(list))
	}
}

// idle waits until the log has written what it was given.
func (d *diary) idle(t *testing.T) {
	t.Helper()
	for d.log.Waiting() > 0 {
		if t.Context().Err() != nil {
			t.Fatal("the log does not write")
		}
	}
}

func TestADiskThatCannotBeWrittenIsCountedSaidOnceAndRecovers(t *testing.T) {
	d := start(t, audit.Config{})
	dir := filepath.Dir(d.path)
	d.write(t, audit.Entry{Event: audit.Started})
	d.idle(t)
	// A file in place of the folder: even root cannot write there.
	if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.write(t, audit.Entry{Event: audit.Registered})
		d.idle(t)
	}
	if got := d.log.Lost(); got != 3 {
		t.Errorf("%d entries are counted as lost, want 3", got)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	d.write(t, audit.Entry{Event: audit.Stopped})
	d.stop()
	list, _ := read(t, d.path)
	if len(list) != 1 || list[0].Event != audit.Stopped {
		t.Errorf("after the failure: %v", list)
	}
	log := d.ordinary.String()
	if strings.Count(log, "audit log not written") != 1 || strings.Count(log, "audit log is written again") != 1 || !strings.Contains(log, "lost=3") {
		t.Errorf("the ordinary log says\n%s", log)
	}
}

// Nobody waits for the diary: what is more than it can hold is counted.
func TestADiskThatStandsStillHoldsUpNobody(t *testing.T) {
	l, err := audit.Open(audit.Config{Path: filepath.Join(t.TempDir(), "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	out := l.With(slog.New(slog.DiscardHandler)) // and nobody runs it
	for range 20_000 {
		audit.Entry{Event: audit.Registered, Reason: strings.Repeat("x", 400)}.Write(t.Context(), out)
	}
	if lost := l.Lost(); lost < 5_000 || lost > 15_000 {
		t.Errorf("%d of 20000 entries are counted as lost", lost)
	}
}

func TestTornAndForeignLinesAreSkippedAndTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	long := strings.Repeat("x", 100_000)
	text := "garbage\n" + `{"time":"2026-01-02T03:04:05Z","event":"started"}` + "\n\n{}\n" +
		`{"time":"2026-01-02T03:04:05Z","event":"started","reason":"` + long + `"}` + "\n" +
		`{"time":"2026-01-02T03:04:06Z","event":"stopped","later":{"member":1}}` + "\n" + `{"time":"2026-01`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, skipped := read(t, path)
	if len(list) != 2 || list[0].Event != audit.Started || list[1].Event != audit.Stopped {
		t.Errorf("read %v", list)
	}
	if diff := cmp.Diff([]audit.Skipped{{File: path, Lines: 4, First: 1}}, skipped); diff != "" {
		t.Error(diff)
	}
	// Whoever writes next ends the torn line first.
	if err := audit.Append(path, audit.Entry{Time: at(7), Event: audit.Enrolled}); err != nil {
		t.Fatal(err)
	}
	list, skipped = read(t, path)
	if len(list) != 3 || list[2].Event != audit.Enrolled || skipped[0].Lines != 4 {
		t.Errorf("after another entry: %v, skipped %v", list, skipped)
	}
}

func TestADiaryThatDoesNotExist(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "audit.jsonl"), filepath.Join(t.TempDir(), "none", "audit.jsonl")} {
		if _, err := audit.Read(path, func(audit.Entry) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("reading it: %v, want ErrNotExist", err)
		}
		if err := audit.Follow(t.Context(), path, audit.Follower{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("following it: %v, want ErrNotExist", err)
		}
	}
}

// Whoever follows misses nothing and gets nothing twice, over files that are put
// aside and lines that are not complete yet.
func TestFollowingSurvivesRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t, audit.Config{MaxBytes: 500, Files: 50})
		d.write(t, audit.Entry{Event: audit.Registered, Version: 1})
		synctest.Wait()
		var got []int64
		present := 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- audit.Follow(ctx, d.path, audit.Follower{
				Each:    func(e audit.Entry) error { got = append(got, e.Version); return nil },
				Present: func() error { present = len(got); return nil },
				Skipped: func(s audit.Skipped) { t.Errorf("skipped %v", s) },
			})
		}()
		synctest.Wait()
		for v := int64(2); v <= 60; v++ {
			d.write(t, audit.Entry{Event: audit.Registered, Version: v})
			synctest.Wait()
			if v%7 == 0 {
				time.Sleep(time.Second)
			}
		}
		half := []byte(`{"time":"2026-01-02T03:04:05Z","event":"registered","version":61}` + "\n")
		f, err := os.OpenFile(d.path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]byte{half[:20], half[20:]} {
			if _, err := f.Write(part); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		cancel()
		if err := errors.Join(<-done, f.Close()); err != nil {
			t.Fatal(err)
		}
		var want []int64
		for v := int64(1); v <= 61; v++ {
			want = append(want, v)
		}
		if diff := cmp.Diff(want, got); diff != "" || present != 1 {
			t.Errorf("present were %d\n%s", present, diff)
		}
	})
}

func TestTheFileIsBegunAnewWhenSomebodyTakesItAway(t *testing.T) {
	d := start(t, audit.Config{})
	d.write(t, audit.Entry{Event: audit.Started})
	d.idle(t)
	if err := os.Remove(d.path); err != nil {
		t.Fatal(err)
	}
	d.write(t, audit.Entry{Event: audit.Stopped})
	d.stop()
	if list, _ := read(t, d.path); len(list) != 1 || list[0].Event != audit.Stopped {
		t.Errorf("read %v", list)
	}
}

func TestALinkInPlaceOfTheFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	if err := os.Symlink(filepath.Join(dir, "other"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(audit.Config{Path: path}); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("opening a link: %v, want ELOOP", err)
	}
}

func TestEveryEventHasAName(t *testing.T) {
	seen := map[audit.Event]bool{}
	for _, e := range audit.Events() {
		if e == "" || seen[e] || strings.ToLower(string(e)) != string(e) {
			t.Errorf("event %q", e)
		}
		seen[e] = true
	}
}
