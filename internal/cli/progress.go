package cli

import (
	"fmt"
	"io"
	"sync"
)

// A Progress tells the person at a terminal how far long work is, on one line of
// standard error that goes when the work has ended. Elsewhere it is silent. It is
// safe for concurrent use.
type Progress struct {
	mu    sync.Mutex
	w     io.Writer // guarded by mu; nil: nobody looks
	what  string
	total int
	done  int // guarded by mu
}

// Progress begins work of that many steps, such as 300 "services".
func (p *Program) Progress(total int, what string) *Progress {
	progress := &Progress{what: what, total: total}
	if isTerminal(p.Process.Stderr) {
		progress.w = p.Process.Stderr
	}
	return progress
}

// Step says that one more step is done.
func (p *Progress) Step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done++; p.w != nil {
		_, _ = fmt.Fprintf(p.w, "\r%d of %d %s", p.done, p.total, p.what) // who cannot be told must not hold up the work
	}
}

// End removes the line.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w != nil && p.done > 0 {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K") // as above
	}
}
