package audit

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
)

// maxWaiting bounds the bytes that wait to be written: the disk may stand still
// for as long as this takes to fill.
const maxWaiting = 4 << 20

// A Config says where a [Log] writes. Path is required.
type Config struct {
	Path   string
	Logger *slog.Logger // hears once that the diary cannot be written, and once that it can again; nil for none

	// MaxBytes bounds each file, Files how many there are. Zero: 32 MiB and 16.
	MaxBytes int64
	Files    int
}

// A Log is the diary that is being written. Nobody waits for the disk: entries
// are queued, and [Log.Run] writes them. It is safe for concurrent use.
type Log struct {
	logger *slog.Logger
	file   file
	lost   atomic.Int64
	wake   chan struct{} // holds one token while something waits

	mu      sync.Mutex
	waiting []byte // whole lines; guarded by mu
	lines   int64  // not written yet; guarded by mu

	failing bool // of Run alone
}

// Open opens the diary, and says why where it cannot be written at all.
func Open(cfg Config) (*Log, error) {
	if cfg.Path == "" {
		return nil, errors.New("an audit log needs a path")
	}
	l := &Log{logger: cfg.Logger, wake: make(chan struct{}, 1)}
	l.file = file{path: cfg.Path, most: cfg.MaxBytes, keep: cfg.Files}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.file.most <= 0 {
		l.file.most = maxFileBytes
	}
	if l.file.keep < 2 {
		l.file.keep = maxFiles
	}
	return l, l.file.start()
}

// With returns a logger whose records go to the diary, all of them, and to
// another log, as that one wants them.
func (l *Log) With(log *slog.Logger) *slog.Logger {
	return slog.New(slog.NewMultiHandler(handler(queue{l}), log.Handler()))
}

// Lost returns how many entries could not be written so far.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Run writes what is logged until ctx ends, and then what still waits. It
// always returns nil: a diary that cannot be written stops nobody.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			l.flush(ctx)
			_ = l.file.close() // every line was written, or counted
			return nil
		case <-l.wake:
			l.flush(ctx)
		}
	}
}

// Close gives back the file of a log that does not run.
func (l *Log) Close() error { return l.file.close() }

// flush writes what waits.
func (l *Log) flush(ctx context.Context) {
	l.mu.Lock()
	lines, n := l.waiting, l.lines
	l.waiting = nil
	l.mu.Unlock()
	if n == 0 {
		return
	}
	err := l.file.append(lines)
	if err != nil {
		l.lost.Add(n)
	}
	l.tell(ctx, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines -= n
}

// tell says once that the diary cannot be written, and once that it can again.
func (l *Log) tell(ctx context.Context, err error) {
	switch {
	case err != nil && !l.failing:
		l.logger.LogAttrs(ctx, slog.LevelError, "audit log not written", slog.String("file", l.file.path), slog.Any("error", err))
	case err == nil && l.failing:
		l.logger.LogAttrs(ctx, slog.LevelInfo, "audit log is written again", slog.String("file", l.file.path), slog.Int64("lost", l.Lost()))
	}
	l.failing = err != nil
}

// A queue takes lines for a [Log].
type queue struct{ log *Log }

// Write takes one line. It never waits and never fails: what is too much is
// counted.
func (q queue) Write(line []byte) (int, error) {
	l := q.log
	l.mu.Lock()
	full := len(l.waiting)+len(line) > maxWaiting
	if !full {
		l.waiting = append(l.waiting, line...)
		l.lines++
	}
	l.mu.Unlock()
	if full {
		l.lost.Add(1)
		return len(line), nil
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// handler writes records as the lines of the diary.
func handler(w io.Writer) slog.Handler {
	const all = slog.Level(-128)
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: all, ReplaceAttr: lineAttr})
}

// lineAttr leaves out of a line what an entry does not have.
func lineAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.LevelKey, slog.MessageKey:
		return slog.Attr{}
	case slog.TimeKey:
		return slog.String(a.Key, a.Value.Time().UTC().Format(timeLayout))
	}
	return a
}

// timeLayout is RFC 3339 in UTC with milliseconds: many things happen within a
// second.
const timeLayout = "2006-01-02T15:04:05.000Z"
