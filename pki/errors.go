package pki

import "errors"

// What a caller tells a person at a terminal apart.
var (
	// ErrInitialised is returned by [Init] when the home holds an authority.
	ErrInitialised = errors.New("the home holds a certificate authority already")
	// ErrNotInitialised is returned by [Open] when the home holds none.
	ErrNotInitialised = errors.New("the home holds no certificate authority")
	// ErrLocked is returned by [Open] when another process has the home open.
	ErrLocked = errors.New("another process is using the certificate authority")
	// ErrPassphrase is returned when a key does not open with the passphrase given.
	ErrPassphrase = errors.New("the passphrase is missing or wrong")
	// ErrNetworkExists is returned by [CA.CreateNetwork] for a name in use.
	ErrNetworkExists = errors.New("the network exists already")
)
