package catalog

import "github.com/neurons-me/netget/identity"

// ReadHeadFile reads the newest head that was signed.
func (c *Catalog) ReadHeadFile() (*identity.RegistryMark, error) { return c.readHeadFile() }
