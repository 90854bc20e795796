// Package healthflags is the flags of the registry for how it judges nodes
// (docs/cli.md). Each value is for all networks of the process or, as
// NETWORK=VALUE, for one.
package healthflags

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/internal/cli"
)

// Settings are the values given. The zero Settings are the defaults.
type Settings struct {
	missed, failed, good []scoped[float64]
	share, max           []scoped[float64]
	allow                []scoped[netip.Prefix]
}

// A Network is how the nodes of one network are judged.
type Network struct {
	Rules healthwatch.Rules
	Brake healthwatch.Brake
	Allow []netip.Prefix // may be probed beside the addresses from which nodes connect
}

// Add defines the flags.
func Add(flags *pflag.FlagSet, s *Settings) {
	count := func(least int) func(string) (float64, error) {
		return func(text string) (float64, error) {
			n, err := strconv.Atoi(text)
			if err != nil || n < least || n > healthwatch.MostRule {
				return 0, fmt.Errorf("%q is not a number from %d to %d", text, least, healthwatch.MostRule)
			}
			return float64(n), nil
		}
	}
	const kind, each = "[NETWORK=]value", "; NETWORK=VALUE for one network, may be repeated"
	flags.Var(list(&s.missed, kind, count(2)), "missed-heartbeats", "intervals without a heartbeat after which a node is down (default 3)"+each)
	flags.Var(list(&s.failed, kind, count(1)), "failed-probes", "failed probes in a row after which a node is down (default 3)"+each)
	flags.Var(list(&s.good, kind, count(1)), "good-signs", "heartbeats or probes in a row after which a node is up again (default 2)"+each)
	flags.Var(list(&s.share, kind, parseShare), "brake-share", "share of a network's nodes that may turn down within a minute; beyond it none does for a while (default 30%)"+each)
	flags.Var(list(&s.max, kind, parseMax), "brake-max", "for how long the brake holds at most (default 5m0s)"+each)
	flags.Var(list(&s.allow, "[NETWORK=]CIDR", cli.ParsePrefix), "probe-allow", "address or network that may be probed beside the addresses from which nodes connect"+each)
}

// For returns what holds for a network.
func (s *Settings) For(network string) Network {
	n := Network{
		Rules: healthwatch.Rules{Missed: int(last(s.missed, network)), Failed: int(last(s.failed, network)), Good: int(last(s.good, network))},
		Brake: healthwatch.Brake{Share: last(s.share, network), Max: time.Duration(last(s.max, network))},
	}
	for _, a := range s.allow {
		if a.network == "" || a.network == network {
			n.Allow = append(n.Allow, a.value)
		}
	}
	return n
}

// Check refuses values for networks that are not served.
func (s *Settings) Check(networks []string) error {
	named := map[string]string{}
	for flag, given := range map[string][]scoped[float64]{
		"missed-heartbeats": s.missed, "failed-probes": s.failed, "good-signs": s.good, "brake-share": s.share, "brake-max": s.max,
	} {
		for _, one := range given {
			named[one.network] = flag
		}
	}
	for _, one := range s.allow {
		named[one.network] = "probe-allow"
	}
	for network, flag := range named {
		if network != "" && !slices.Contains(networks, network) {
			return cli.Hint(cli.Usage("--%s: the network %q is not served here", flag, network), "served here: %s", strings.Join(networks, ", "))
		}
	}
	return nil
}

// scoped is a value for one network, or for all.
type scoped[V any] struct {
	network string // "": all
	text    string
	value   V
}

// list is a flag that takes values for all networks or for one.
func list[V any](given *[]scoped[V], kind string, parse func(string) (V, error)) cli.List[scoped[V]] {
	return cli.List[scoped[V]]{
		Values: given, Kind: kind, Text: func(one scoped[V]) string { return one.text },
		Parse: func(text string) (scoped[V], error) {
			network, value, ok := strings.Cut(text, "=")
			if !ok {
				network, value = "", text
			}
			parsed, err := parse(value)
			return scoped[V]{network, text, parsed}, err
		},
	}
}

// last returns what was given last for a network, else for all, else 0.
func last(given []scoped[float64], network string) float64 {
	for _, name := range []string{network, ""} {
		for _, one := range slices.Backward(given) {
			if one.network == name {
				return one.value
			}
		}
	}
	return 0
}

// parseShare reads 30% or 0.3.
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share > 0 && share <= 1) {
		return 0, fmt.Errorf("%q is not a share, from above 0%% to 100%%", text)
	}
	return share, nil
}

func parseMax(text string) (float64, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > healthwatch.MostBrake {
		return 0, fmt.Errorf("%q is not a time from 1s to %s", text, healthwatch.MostBrake)
	}
	return float64(d), nil
}
