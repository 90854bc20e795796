package pki

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/internal/database"
)

// WithHook lets a test break the store.
func WithHook(cfg Config, hook func(database.Moment) error) Config {
	cfg.hook = hook
	return cfg
}

// VerifyToken checks a token as the only network does.
func VerifyToken(ca *CA, token string) error {
	_, err := ca.all()[0].tokens.verify(token)
	return err
}

// CheckRequest checks a request for a signing certificate, which names nothing.
func CheckRequest(der []byte) error {
	_, err := checkRequest(der, profile{})
	return err
}

// WithLimits lets a test have many connections from one address, or be refused
// often; 0 leaves a limit as it is.
func WithLimits(cfg Config, perAddress, refusals, logged int) Config {
	cfg.most = defaultLimits()
	cfg.Connections.PerAddress, cfg.Connections.Burst = perAddress, 1_000_000
	cfg.most.requestBurst = 1_000_000
	cfg.most.refusalBurst = cmp.Or(refusals, cfg.most.refusalBurst)
	cfg.most.loggedAtBurst = cmp.Or(logged, cfg.most.loggedAtBurst)
	return cfg
}

// WithoutRefill keeps the budgets of callers without certificate and of the log at
// their bursts: what was taken does not come back, however slow a test is.
func WithoutRefill(cfg Config) Config {
	if cfg.most == (limits{}) {
		cfg.most = defaultLimits()
	}
	cfg.most.requests, cfg.most.refusals, cfg.most.logged = never, never, never
	return cfg
}

const never rate.Limit = 1e-9 // a second

// A Bucket is what a caller may still do, for tests of its rule.
type Bucket struct{ b bucket }

// NewBucket returns a full one.
func NewBucket(each float64, burst int, now time.Time) *Bucket {
	return &Bucket{newBucket(rate.Limit(each), burst, now)}
}

// Take takes one, if there is one.
func (b *Bucket) Take(now time.Time) bool { return b.b.take(now) }

// Give gives one back.
func (b *Bucket) Give() { b.b.give() }

// WithLogLimits sets how many entries one budget has, a second and at once.
func WithLogLimits(cfg Config, each float64, burst int) Config {
	cfg.most = defaultLimits()
	cfg.most.logged, cfg.most.loggedAtBurst = rate.Limit(each), burst
	return cfg
}

// EncodedBundle returns the bytes of GET /v1/bundle of the only network.
func EncodedBundle(ctx context.Context, ca *CA) ([]byte, error) { return ca.bundleOf(ctx, ca.all()[0]) }

// Routes returns what is mounted, each as "METHOD /path".
func Routes(ca *CA) ([]string, error) {
	var all []string
	err := chi.Walk(ca.routes(), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+path)
		return nil
	})
	return all, err
}
