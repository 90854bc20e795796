package command

import (
	"context"
	"log/slog"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// stay keeps the node registered until ctx ends or, with a command to run, that
// does; the command hears of the end so much later than those who would use the
// node.
func (c *commands) stay(ctx context.Context, opts netget.Options, drain time.Duration, argv []string) error {
	path := ""
	if argv != nil {
		var err error
		if path, err = exec.LookPath(argv[0]); err != nil {
			return cli.Hint(cli.Fail(cli.ExitFailure, "the command cannot run: %w", err), "check the command after --; nothing was registered")
		}
	}
	log := &lateLog{Handler: c.Logger().Handler(), on: new(atomic.Bool)}
	log.on.Store(opts.Logger != nil) // the user wants to see it all
	opts.Logger = slog.New(log)
	node := netget.New(opts)
	if err := node.RegisterWithNetwork(ctx); err != nil {
		_ = node.Close() // nothing is registered
		return explain(err)
	}
	log.on.Store(true)
	r, _ := node.Registration()
	ready := registration{IsReady: true, Registration: r}
	if argv == nil {
		defer c.listen(ctx, opts.Identity, node)()
		defer c.leave(ctx, node)
		return c.wait(ctx, node, ready)
	}
	signals, stop := takeSignals()
	defer stop() // not before the node has left
	defer c.listen(ctx, opts.Identity, node)()
	defer c.leave(ctx, node)
	if err := c.StderrPrinter().Announce(ctx, ready); err != nil {
		return err
	}
	return c.accompany(ctx, &passing{signals: signals, node: node, drain: drain, log: c.Logger()}, path, argv)
}

// wait keeps the node registered until ctx ends or an operator removes it.
func (c *commands) wait(ctx context.Context, node *netget.Node, ready registration) error {
	if err := c.Printer().Announce(ctx, ready); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-node.Removed():
		return explain(netget.ErrRemoved)
	}
}

// accompany runs a command, and ends with its code.
func (c *commands) accompany(ctx context.Context, p *passing, path string, argv []string) error {
	code, err := runCommand(ctx, c.Process, p, path, argv)
	if err != nil {
		return cli.Hint(cli.Fail(cli.ExitFailure, "running %s: %w", argv[0], err), "check the command after --; the node is not registered any more")
	}
	if code != cli.ExitOK {
		return cli.StatusError(code)
	}
	return nil
}

// leave deregisters. Where no registry is there to hear it, the registration
// ends by itself: that is no failure of a command that was told to end.
func (c *commands) leave(ctx context.Context, node *netget.Node) {
	if err := node.Close(); err != nil {
		c.Logger().LogAttrs(ctx, slog.LevelWarn, "not deregistered; the registration ends by itself", slog.Any("error", err))
	}
}

// A lateLog drops what is logged until it is on: why a node could not register
// in the first place is said once, by the error of the command.
type lateLog struct {
	slog.Handler

	on *atomic.Bool // shared by all that were derived
}

// Enabled reports whether records of the level are wanted.
func (l *lateLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.on.Load() && l.Handler.Enabled(ctx, level)
}

// WithAttrs returns a log with attributes.
func (l *lateLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lateLog{l.Handler.WithAttrs(attrs), l.on}
}

// WithGroup returns a log with a group.
func (l *lateLog) WithGroup(group string) slog.Handler {
	return &lateLog{l.Handler.WithGroup(group), l.on}
}
