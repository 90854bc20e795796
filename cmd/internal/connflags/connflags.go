// Package connflags is the flags of the servers for how many connections they
// take (docs/cli.md).
package connflags

import (
	"github.com/spf13/pflag"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/connlimit"
)

// Add defines the flags, with their defaults.
func Add(flags *pflag.FlagSet, l *connlimit.Limits, defaults connlimit.Limits) {
	cli.Positive(flags, &l.Most, "max-connections", defaults.Most, "connections that may be open in all")
	cli.Positive(flags, &l.PerAddress, "connections-per-address", defaults.PerAddress, "connections that may be open from one IPv4 address or IPv6 /64")
	cli.Positive(flags, &l.Rate, "connection-rate", defaults.Rate, "new connections a second from one address")
	cli.Positive(flags, &l.Burst, "connection-burst", defaults.Burst, "new connections at once from one address")
	cli.Prefixes(flags, &l.LoadBalancers, "load-balancer", "address or network of load balancers, to which the limits of one address do not apply; may be repeated")
}
