package pki

import "github.com/neurons-me/netget/internal/database"

// WithHook lets a test break the store.
func WithHook(cfg Config, hook func(database.Moment) error) Config {
	cfg.hook = hook
	return cfg
}
