package pki

import (
	"context"
	"net"
	"net/http"

	"github.com/neurons-me/netget/internal/connlimit"
)

type placeKey struct{}

// withPlace lets a request find the place of its connection.
func withPlace(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, placeKey{}, connlimit.PlaceOf(c))
}

// keeping keeps the connection while next answers, and not between requests:
// callers have one question each and find another connection for the next, and
// so a member with many connections keeps nobody out either.
func keeping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, _ := r.Context().Value(placeKey{}).(*connlimit.Place) // withPlace put it there
		defer place.Hold()()
		next.ServeHTTP(w, r)
	})
}
