package registry_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// A node may have probed the address from which it connects: that of a load
// balancer is not its own.
func TestProbesKnowFromWhereTheNodeConnects(t *testing.T) {
	for name, row := range map[string]struct {
		balancers []netip.Prefix
		want      string
	}{
		"its own connection":      {nil, "10.0.0.9"},
		"through a load balancer": {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, l := newClosedWorld(t, "production", time.Now, memstore.New()), newPipeListener()
				var mu sync.Mutex
				var from []string
				var err error
				w.catalog, err = catalog.New(catalog.Config{
					Source: w.source, Store: memstore.New(), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
					Health: &healthwatch.Config{Probe: func(_ context.Context, t probe.Target) error {
						mu.Lock()
						defer mu.Unlock()
						from = append(from, t.From.String())
						return nil
					}},
				})
				if err != nil {
					t.Fatal(err)
				}
				w.open(t)
				served := servePipe(t, w, l, func(c *registry.Config) {
					c.Connections = connlimit.Limits{Most: 10, PerAddress: 10, Rate: 10, Burst: 10, LoadBalancers: row.balancers}
				})
				served.dial = func(context.Context) (net.Conn, error) {
					return l.dialFrom(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.9:4000"))), nil
				}
				newNode(t, w, served, "billing", "b-1").register(1, func(r *identity.Record) { r.Check = identity.Check{Interval: 2, Type: identity.CheckTCP} })
				time.Sleep(5 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				if len(from) == 0 || from[0] != row.want {
					t.Errorf("probed as from %q, want %q", from, row.want)
				}
			})
		})
	}
}
