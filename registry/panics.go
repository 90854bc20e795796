package registry

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
)

// A panicPlace is where a bug of ours came to light.
type panicPlace int

const (
	inHandler    panicPlace = iota // a request
	inHandshake                    // the judgement of a caller in TLS
	inConnection                   // what is noted of a connection after it
	inSweeper                      // the judgement of an open connection
	inReporter                     // a report to the authority
	panicPlaces
)

// String returns the name that metrics and the log use.
func (p panicPlace) String() string {
	switch p {
	case inHandler:
		return "handler"
	case inHandshake:
		return "handshake"
	case inConnection:
		return "connection"
	case inSweeper:
		return "sweeper"
	case inReporter:
		return "reporter"
	case panicPlaces:
	}
	return "unknown"
}

// panics counts bugs of ours, none of which may take the process down: whatever
// somebody found that makes us panic, it costs nobody else anything.
type panics [panicPlaces]atomic.Int64

// caught reports a panic. It is deferred where a goroutine of ours may go on.
func (s *Server) caught(ctx context.Context, where panicPlace) {
	if cause := recover(); cause != nil {
		s.panicked(ctx, where, cause)
	}
}

// abort is [Server.caught] where net/http waits for the panic, to end the
// connection or stream with it.
func (s *Server) abort(ctx context.Context, where panicPlace) {
	cause := recover()
	if cause == nil {
		return
	}
	s.panicked(ctx, where, cause)
	panic(http.ErrAbortHandler)
}

func (s *Server) panicked(ctx context.Context, where panicPlace, cause any) {
	s.panics[where].Add(1)
	s.cfg.Logger.LogAttrs(ctx, slog.LevelError, "a panic was caught",
		slog.String("where", where.String()), slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
}
