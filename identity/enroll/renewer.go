package enroll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	defaultGrace = 7 * 24 * time.Hour
	// A machine that slept has a clock that jumped; timers have not.
	longestSleep = time.Minute
)

// ErrCertificateOver says that a certificate ended too long ago for the
// authority to renew it: the node has to be enrolled anew.
var ErrCertificateOver = errors.New("the certificate is over for too long to be renewed")

// A RenewerConfig says what a [Renewer] renews.
type RenewerConfig struct {
	Source *identity.Source
	Grace  time.Duration    // how long after its end a certificate can be renewed; 0: 7 days
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: none
	// Renewed is called, if not nil, with what each renewal brought.
	Renewed func(*Result)
}

// A Renewer keeps the certificates of a running program fresh.
type Renewer struct {
	cfg RenewerConfig

	mu     sync.Mutex
	status Status // guarded by mu
}

// A Status tells how renewing goes.
type Status struct {
	RenewAt   time.Time // the next attempt
	Failures  int       // since the last success
	LastError error     // of the last attempt; nil if it succeeded
}

// NewRenewer returns a renewer that waits for [Renewer.Run].
func NewRenewer(cfg RenewerConfig) (*Renewer, error) {
	if cfg.Source == nil {
		return nil, errors.New("a renewer needs a source")
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Renewer{cfg: cfg, status: Status{RenewAt: RenewAt(cfg.Source.Identity())}}, nil
}

// Status returns how renewing goes. It may be called at any time.
func (r *Renewer) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Run renews at [RenewAt], tries again after failures for as long as the
// authority could still accept, and takes over what another program renewed in
// the same folder. It returns nil when ctx ends and [ErrCertificateOver] when
// nothing can be done any more.
func (r *Renewer) Run(ctx context.Context) error {
	var tried attempts
	for ctx.Err() == nil {
		changed := r.cfg.Source.Changed() // before the identity, so that no change is missed
		current := r.cfg.Source.Identity()
		due := tried.due(current)
		r.note(due, tried.failures)
		if r.cfg.Now().Before(due) {
			r.sleep(ctx, due, changed)
			if r.cfg.Source.Identity().Credential != current.Credential {
				tried = attempts{}
			}
			continue
		}
		err := r.attempt(ctx, current)
		if err == nil {
			tried = attempts{last: r.cfg.Now()}
			continue
		}
		tried = tried.after(err, r.cfg.Now())
		if tried.last.After(current.Credential.Leaf().NotAfter.Add(r.cfg.Grace)) {
			return fmt.Errorf("%w: %w", ErrCertificateOver, err)
		}
	}
	return nil
}

// sleep waits until due, or less: until the identity is replaced, ctx ends or
// the clock has to be looked at again.
func (r *Renewer) sleep(ctx context.Context, due time.Time, changed <-chan struct{}) {
	timer := time.NewTimer(min(due.Sub(r.cfg.Now()), longestSleep))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C:
	}
}

// attempt renews once, unless another program has done so already.
func (r *Renewer) attempt(ctx context.Context, current *identity.Identity) error {
	if r.reload(ctx, current) {
		return nil
	}
	result, err := Renew(ctx, r.cfg.Source, r.cfg.Now)
	if ctx.Err() != nil {
		return err
	}
	r.setError(err)
	id := slog.String("id", current.ID().String())
	if err != nil {
		r.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "renewing the certificate did not succeed", id,
			slog.Time("ends", endOf(current)), slog.String("error", err.Error()))
		return err
	}
	r.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "certificate renewed", id, slog.Time("ends", endOf(result.Identity)))
	if err := r.cfg.Source.Volatile(); err != nil {
		r.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "the renewed certificate lives in memory only", id, slog.String("error", err.Error()))
	}
	if r.cfg.Renewed != nil {
		r.cfg.Renewed(result)
	}
	return nil
}

// reload reports whether the folder holds a later certificate, now in force.
func (r *Renewer) reload(ctx context.Context, current *identity.Identity) bool {
	folder := r.cfg.Source.Folder()
	if folder == nil {
		return false
	}
	found, err := folder.Load()
	if err != nil || !RenewAt(found).After(RenewAt(current)) {
		return false
	}
	if err := r.cfg.Source.Reload(); err != nil {
		return false
	}
	r.setError(nil)
	r.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "took over a certificate renewed by another program", slog.String("id", current.ID().String()))
	return true
}

func (r *Renewer) note(due time.Time, failures int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.RenewAt, r.status.Failures = due, failures
}

func (r *Renewer) setError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LastError = err
}
