package pki

import (
	"cmp"

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
	cfg.most.perAddress = cmp.Or(perAddress, cfg.most.perAddress)
	cfg.most.refusalBurst = cmp.Or(refusals, cfg.most.refusalBurst)
	cfg.most.loggedAtBurst = cmp.Or(logged, cfg.most.loggedAtBurst)
	return cfg
}
