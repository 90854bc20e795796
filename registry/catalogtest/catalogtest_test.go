package catalogtest_test

import (
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
	"github.com/neurons-me/netget/registry/catalogtest"
)

// TestMemory keeps the store that other tests rely on honest.
func TestMemory(t *testing.T) {
	catalogtest.TestStore(t, func(*testing.T) catalogtest.Place {
		stores := make(map[identity.TrustDomain]*memstore.Store)
		return catalogtest.Place{
			Open: func(_ *testing.T, network identity.TrustDomain) catalog.Store {
				if stores[network] == nil {
					stores[network] = memstore.New()
				}
				return stores[network]
			},
			Restart: func(*testing.T) {}, // memory has no other life
		}
	})
}
