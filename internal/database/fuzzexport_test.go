package database

// ParseURL returns the engine of a store URL, and what messages tell of it.
func ParseURL(text string) (engine, shown string, err error) {
	t, err := parseURL(text)
	return t.engine, t.shown, err
}
