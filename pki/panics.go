package pki

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Where a bug of ours came to light.
const (
	inHandler   = "handler"   // a request
	inHandshake = "handshake" // the judgement of a caller, or our own certificate, in TLS
)

// abort reports a panic, and lets net/http end the connection or stream with it:
// whatever somebody found that makes us panic, it costs nobody else anything.
func (ca *CA) abort(ctx context.Context, where string) {
	cause := recover()
	if cause == nil {
		return
	}
	ca.audit.panics.WithLabelValues(where).Inc()
	ca.cfg.Logger.LogAttrs(ctx, slog.LevelError, "a panic was caught",
		slog.String("where", where), slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	panic(http.ErrAbortHandler)
}

// caught is next, with its panics counted.
func (ca *CA) caught(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer ca.abort(r.Context(), inHandler)
		next.ServeHTTP(w, r)
	})
}
