package cli

import (
	"fmt"
	"sync"
	"syscall"
)

// privateUmask lets nobody but the owner near a new file, whatever the process
// was started with; whoever makes one for others says so.
const privateUmask = 0o077

// A given is what a process was started with and has changed for itself.
type given struct {
	mu    sync.Mutex
	umask int
	core  syscall.Rlimit
}

// harden keeps keys and passphrases out of core files and out of the reach of
// other processes of the same user, where the system knows how, and new files
// to their owner.
func harden() (*given, error) {
	g := &given{umask: syscall.Umask(privateUmask)}
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &g.core); err != nil {
		return nil, fmt.Errorf("reading the limit of core files: %w", err)
	}
	if err := g.setCore(0); err != nil {
		return nil, err
	}
	return g, undumpable()
}

func (g *given) setCore(most uint64) error {
	limit := g.core
	limit.Cur = most
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("setting the limit of core files: %w", err)
	}
	return nil
}

// around calls start as if nothing had been changed, for what it starts to
// inherit. Files that are made meanwhile get their mode explicitly.
func (g *given) around(start func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.setCore(g.core.Cur); err != nil {
		return err
	}
	syscall.Umask(g.umask)
	err := start()
	syscall.Umask(privateUmask)
	if again := g.setCore(0); err == nil {
		err = again
	}
	return err
}
