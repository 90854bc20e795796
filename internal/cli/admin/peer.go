package admin

import (
	"context"
	"net"
	"net/http"
	"os"

	"github.com/neurons-me/netget/internal/cli"
)

// permittedKey is the key under which a connection's context holds true if
// its other end belongs to a permitted user.
type permittedKey struct{}

// withPeer notes in the context of a new connection who opened it.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, err := peerUID(unix)
	return context.WithValue(ctx, permittedKey{}, err == nil && permitted(uid))
}

// permitted reports whether a user may give orders: root, who can do as much
// by other ways, and the user who runs the server.
func permitted(uid uint32) bool { return uid == 0 || int64(uid) == int64(os.Geteuid()) }

// permittedOnly passes on the requests of permitted users. The mode of the
// socket keeps others out already; this check holds when somebody changed it.
func permittedOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ok, is := r.Context().Value(permittedKey{}).(bool); !ok || !is {
			WriteError(w, stranger())
			return
		}
		h.ServeHTTP(w, r)
	})
}

func stranger() error {
	return cli.Hint(cli.Fail(cli.ExitDenied, "the running server does not take orders from this user"),
		"run the command as the user who runs the server, or as root")
}
