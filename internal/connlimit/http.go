package connlimit

import (
	"context"
	"net"
	"net/http"
)

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
