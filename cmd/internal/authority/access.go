package authority

import (
	"context"
	"errors"
	"net/http"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
	"github.com/neurons-me/netget/pki"
)

// An Authority is the certificate authority of a folder. Its methods ask the
// server that runs there, and open the folder themselves when none does; their
// errors are the same on both ways.
type Authority struct {
	Dir  string
	Open func(context.Context) (*pki.CA, error) // opens the folder
}

// An operation is what a command has done, here or by the running server.
type operation[In, Out any] func(ctx context.Context, ca *pki.CA, in In) (Out, error)

// do runs an operation where the authority is open.
func do[In, Out any](ctx context.Context, a Authority, route string, in In, run operation[In, Out]) (Out, error) {
	var out Out
	err := admin.Either(cli.AdminSocket(a.Dir),
		func(c *admin.Client) error { return c.Call(ctx, route, in, &out) },
		func() (err error) {
			out, err = open(ctx, a, in, run)
			return err
		})
	return out, err
}

func open[In, Out any](ctx context.Context, a Authority, in In, run operation[In, Out]) (out Out, err error) {
	ca, err := a.Open(ctx)
	if err != nil {
		return out, Explain(err)
	}
	defer func() { err = errors.Join(err, ca.Close()) }()
	out, err = run(ctx, ca, in)
	return out, Explain(err)
}

// mount makes an operation one of the running server's.
func mount[In, Out any](mux *http.ServeMux, ca *pki.CA, route string, run operation[In, Out]) {
	mux.Handle("POST "+route, admin.Handle(func(ctx context.Context, in In) (Out, error) {
		out, err := run(ctx, ca, in)
		return out, Explain(err)
	}))
}
