package enroll_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
)

// bubble runs test where time passes only while everybody waits. The authority
// lives outside; its clock follows the bubble's at each tick.
func bubble(t *testing.T, test func(t *testing.T, f *fakeCA, src *identity.Source)) {
	t.Helper()
	f := newFakeCA(t)
	var clock atomic.Int64
	clock.Store(start.Unix())
	f.now = func() time.Time { return time.Unix(clock.Load(), 0) }
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(time.Minute)
			defer tick.Stop()
			for ctx.Err() == nil {
				clock.Store(time.Now().Unix())
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		}()
		test(t, f, f.source(t, "databaseservice", "db-1"))
		cancel()
		<-done
	})
}

// run starts a renewer and returns how to stop it, which returns Run's error.
func run(t *testing.T, cfg enroll.RenewerConfig) (*enroll.Renewer, func() error) {
	t.Helper()
	r, err := enroll.NewRenewer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	return r, func() error {
		cancel()
		return <-result
	}
}

func TestRenewerRenewsAtHalfLife(t *testing.T) {
	bubble(t, func(t *testing.T, _ *fakeCA, src *identity.Source) {
		t.Helper()
		var renewals atomic.Int32
		r, stop := run(t, enroll.RenewerConfig{Source: src, Renewed: func(*enroll.Result) { renewals.Add(1) }})
		due := enroll.RenewAt(src.Identity())
		if half := start.Add(12 * time.Hour); due.Before(half.Add(-time.Minute)) || due.After(half.Add(75*time.Minute)) {
			t.Errorf("due at %s, want half of a day and a little", due)
		}
		time.Sleep(time.Until(due) - time.Second)
		if got := r.Status(); renewals.Load() != 0 || !got.RenewAt.Equal(due) {
			t.Errorf("%d renewals before half of the life; status %+v", renewals.Load(), got)
		}
		time.Sleep(2 * time.Minute)
		if renewals.Load() != 1 || src.Identity().Credential.Leaf().NotAfter.Before(due.Add(23*time.Hour)) {
			t.Errorf("%d renewals after half of the life, want 1", renewals.Load())
		}
		time.Sleep(3 * 24 * time.Hour)
		if got := r.Status(); renewals.Load() < 6 || renewals.Load() > 7 || got.LastError != nil {
			t.Errorf("%d renewals in three days, want two a day; status %+v", renewals.Load(), got)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRenewerTriesUntilTheAuthorityIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeCA, src *identity.Source) {
		t.Helper()
		f.set(func(f *fakeCA) {
			f.refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
		})
		r, stop := run(t, enroll.RenewerConfig{Source: src})
		time.Sleep(26 * time.Hour) // two hours over, within the grace
		got := r.Status()
		if got.Failures < 100 || got.LastError == nil {
			t.Errorf("status %+v, want many failures", got)
		}
		f.set(func(f *fakeCA) { f.refuse, f.lenient = nil, true })
		time.Sleep(10 * time.Minute)
		if got := r.Status(); got.LastError != nil || got.Failures != 0 {
			t.Errorf("status %+v, want that it recovered", got)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRenewerEndsAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeCA, src *identity.Source) {
		t.Helper()
		f.set(func(f *fakeCA) {
			f.refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
		})
		r, err := enroll.NewRenewer(enroll.RenewerConfig{Source: src, Grace: time.Hour})
		f.set(func(f *fakeCA) { f.lenient = true })
		if err != nil {
			t.Fatal(err)
		}
		err = r.Run(t.Context())
		if !errors.Is(err, enroll.ErrCertificateOver) || identity.CodeOf(err) != identity.Unavailable {
			t.Errorf("Run = %v", err)
		}
		if over := time.Since(src.Identity().Credential.Leaf().NotAfter); over < time.Hour || over > 2*time.Hour {
			t.Errorf("it gave up %s after the end, want an hour", over)
		}
	})
}

func TestRenewerTakesOverWhatAnotherProgramRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeCA, src *identity.Source) {
		t.Helper()
		due := enroll.RenewAt(src.Identity())
		time.Sleep(time.Until(due) - time.Minute)
		other, err := identity.NewSource(src.Folder())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enroll.Renew(t.Context(), other, time.Now); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeCA) { f.seen = nil })
		_, stop := run(t, enroll.RenewerConfig{Source: src})
		time.Sleep(2 * time.Minute)
		if got := src.Identity().Credential.Thumbprint(); got != other.Identity().Credential.Thumbprint() || f.requests() != "" {
			t.Errorf("asked %q instead of taking over", f.requests())
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRenewerHonoursRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeCA, src *identity.Source) {
		t.Helper()
		f.set(func(f *fakeCA) {
			f.refuse = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "600")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		r, stop := run(t, enroll.RenewerConfig{Source: src})
		time.Sleep(time.Until(enroll.RenewAt(src.Identity())) + 2*time.Second)
		status := r.Status()
		if wait := time.Until(status.RenewAt); status.Failures != 1 || wait < 590*time.Second || wait > 600*time.Second {
			t.Errorf("%d failures, the next try in %s, want 10 minutes", status.Failures, wait)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// An authority that hands out certificates already half over must not be asked
// in a tight loop.
func TestRenewerTriesOftenBeforeAShortLifeEnds(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeCA, src *identity.Source) {
		t.Helper()
		next := *src.Identity()
		next.Credential = f.ca.IssueKey(next.ID(), newKey(), func(c *x509.Certificate) { c.NotAfter = start.Add(5 * time.Minute) })
		if err := src.Replace(&next); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeCA) {
			f.refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
		})
		r, stop := run(t, enroll.RenewerConfig{Source: src})
		time.Sleep(5 * time.Minute)
		if got := r.Status(); got.Failures < 20 || got.Failures > 100 {
			t.Errorf("%d tries before the end, want many and not too many", got.Failures)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRenewerGoesOnInMemoryWithoutItsFolder(t *testing.T) {
	bubble(t, func(t *testing.T, _ *fakeCA, src *identity.Source) {
		t.Helper()
		first := src.Identity()
		if err := os.RemoveAll(src.Folder().Dir()); err != nil {
			t.Fatal(err)
		}
		_, stop := run(t, enroll.RenewerConfig{Source: src})
		time.Sleep(14 * time.Hour)
		if src.Identity() == first || src.Volatile() == nil {
			t.Errorf("renewed: %v, volatile: %v", src.Identity() != first, src.Volatile())
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRenewerRestsBetweenRenewals(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeCA, src *identity.Source) {
		t.Helper()
		f.set(func(f *fakeCA) {
			f.edit = func(a *answer, q ask) {
				a.Certificate[0] = f.ca.Leaf(f.ca.ID("databaseservice", "db-1"), publicKey(q.CSR), func(c *x509.Certificate) {
					c.NotBefore, c.NotAfter = f.now().Add(-23*time.Hour), f.now().Add(time.Hour)
				}).Raw
			}
		})
		var renewals atomic.Int32
		_, stop := run(t, enroll.RenewerConfig{Source: src, Renewed: func(*enroll.Result) { renewals.Add(1) }})
		time.Sleep(time.Until(enroll.RenewAt(src.Identity())) + 10*time.Minute)
		if n := renewals.Load(); n < 2 || n > 21 {
			t.Errorf("%d renewals in ten minutes, want at most two a minute", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestNewRenewerNeedsASource(t *testing.T) {
	if _, err := enroll.NewRenewer(enroll.RenewerConfig{}); err == nil {
		t.Error("got a renewer of nothing")
	}
}
