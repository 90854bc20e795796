package command

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli/admin"
)

// socketFile is where a running register listens, in its identity folder.
const socketFile = "node.sock"

// Operations of a running register.
const (
	drainRoute   = "/v1/drain"
	undrainRoute = "/v1/undrain"
)

// listen lets other commands of this identity reach the node until stop. Where
// that cannot be, as beside another register, the node does without.
func (c *commands) listen(ctx context.Context, dir string, node *netget.Node) (stop func()) {
	server, err := admin.Listen(filepath.Join(dir, socketFile))
	if err != nil {
		c.Logger().LogAttrs(ctx, slog.LevelWarn, "'drain' and 'undrain' do not reach this node", slog.Any("error", err))
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Run(ctx, operations(node)); err != nil {
			c.Logger().LogAttrs(ctx, slog.LevelWarn, "'drain' and 'undrain' do not reach this node any more", slog.Any("error", err))
		}
	})
	return func() {
		cancel()
		serving.Wait()
	}
}

// operations are what commands may ask of a node that runs.
func operations(node *netget.Node) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("POST "+drainRoute, turn(node, node.Drain))
	routes.Handle("POST "+undrainRoute, turn(node, node.Undrain))
	return routes
}

func turn(node *netget.Node, to func(context.Context) error) http.Handler {
	return admin.Handle(func(ctx context.Context, _ struct{}) (netget.Registration, error) {
		if err := to(ctx); err != nil {
			return netget.Registration{}, explain(err)
		}
		r, ok := node.Registration()
		if !ok {
			return netget.Registration{}, explain(netget.ErrNotRegistered)
		}
		return r, nil
	})
}
