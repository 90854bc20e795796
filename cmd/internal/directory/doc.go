// Package directory is the registry of one or several networks as programs run
// it: identities, store, catalogs and servers put together. netget-registry
// serve, dev and demo run it.
package directory
