package connlimit

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"
)

// Stop lets the requests of a server finish for at most d, and ends the
// connections that are left then; l let them in. Shutdown and Close of
// [http.Server] say goodbye on one connection after the other, which takes 5 s
// for each whose peer does not read: so they end below TLS.
func (l *Limiter) Stop(ctx context.Context, server *http.Server, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	defer cancel()
	defer context.AfterFunc(ctx, l.endAll)()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // who is still there has had its time
	}
}

// endAll ends every connection.
func (l *Limiter) endAll() {
	l.mu.Lock()
	places := slices.Collect(maps.Keys(l.open))
	l.mu.Unlock()
	for _, p := range places {
		p.end()
	}
}

type placeKey struct{}

// WithPlace is a ConnContext of [http.Server] by which [Holding] finds the place
// of a request's connection.
func WithPlace(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, placeKey{}, PlaceOf(c))
}

// Holding holds the place of a connection while next answers. Before and after,
// the connection makes room for newer ones, whatever was sent on it.
func Holding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, _ := r.Context().Value(placeKey{}).(*Place)
		defer place.Hold()()
		next.ServeHTTP(w, r)
	})
}
