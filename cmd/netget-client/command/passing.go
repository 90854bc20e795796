package command

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/neurons-me/netget"
)

// A passing hands signals on to the command, SIGTERM only after the node has
// drained. Its fields are set before run; one goroutine runs it.
type passing struct {
	signals <-chan os.Signal
	node    *netget.Node
	drain   time.Duration // 0: SIGTERM goes on at once
	log     *slog.Logger
	pid     int
	shared  bool // the command is in our process group

	drained bool          // it drains or has drained
	over    chan struct{} // closed when the draining is; nil: the node does not drain
	cancel  context.CancelFunc
}

// run hands on each signal, and SIGTERM for the end of ctx, until done is closed.
func (p *passing) run(ctx context.Context, done <-chan struct{}) {
	ended, removed := ctx.Done(), p.node.Removed()
	ctx = context.WithoutCancel(ctx)
	defer p.endDraining()
	for {
		select {
		case <-done:
			return
		case <-p.over:
			p.endDraining()
			p.pass(syscall.SIGTERM)
		case <-ended:
			ended = nil
			p.take(ctx, syscall.SIGTERM)
		case <-removed:
			removed = nil
			p.log.LogAttrs(ctx, slog.LevelError, "an operator has removed this node; the command goes on, and nobody finds it")
		case s := <-p.signals:
			if number, ok := s.(syscall.Signal); ok {
				p.take(ctx, number)
			}
		}
	}
}

// take does what a signal asks for.
func (p *passing) take(ctx context.Context, s syscall.Signal) {
	if p.over != nil && isEnd(s) { // whoever insists is not kept waiting
		p.endDraining()
		p.pass(syscall.SIGTERM)
	}
	switch {
	case s == syscall.SIGTERM && !p.drained && p.drain > 0:
		p.beginDraining(ctx)
	case p.shared && fromKeyboard(s): // it has come there already
	default:
		p.pass(s)
	}
}

func (p *passing) pass(s syscall.Signal) {
	target := -p.pid // its whole group, as the terminal would
	if p.shared {
		target = p.pid
	}
	_ = syscall.Kill(target, s) // it may have ended
}

// beginDraining tells the registries, and closes over when the time is up, or at
// once when none could be told.
func (p *passing) beginDraining(ctx context.Context) {
	p.drained, p.over = true, make(chan struct{})
	ctx, p.cancel = context.WithTimeout(ctx, p.drain)
	go func() { // endDraining joins it
		defer close(p.over)
		p.log.LogAttrs(ctx, slog.LevelInfo, "draining before the command is told to end", slog.Duration("for", p.drain))
		if err := p.node.Drain(ctx); err != nil && ctx.Err() == nil {
			p.log.LogAttrs(ctx, slog.LevelWarn, "not drained; the command is told to end at once", slog.Any("error", err))
			return
		}
		<-ctx.Done()
	}()
}

// endDraining cuts it short, if it goes on.
func (p *passing) endDraining() {
	if p.over != nil {
		p.cancel()
		<-p.over
		p.over = nil
	}
}

// isEnd reports whether a signal asks for the end.
func isEnd(s syscall.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
}
