package cli

import (
	"context"
	"os"
	"sync"
)

// Signals returns a context that ends with the first signal from ch. The
// second one calls exit with code 130 at once: whoever insists is not kept
// waiting. The returned function stops listening and joins what listens; ch
// comes from os/signal in main, and must have room for two.
func Signals(ctx context.Context, ch <-chan os.Signal, exit func(code int)) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var listener sync.WaitGroup
	listener.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-ch:
				cancel()
			case <-done:
				return
			}
			if n == 2 {
				exit(ExitInterrupted)
			}
		}
	})
	stop := sync.OnceFunc(func() {
		close(done)
		listener.Wait()
		cancel()
	})
	return ctx, stop
}
