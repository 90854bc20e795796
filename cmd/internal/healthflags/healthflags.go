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
	missed, failed, good value
	share, max           value
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
	s.missed.parse, s.failed.parse, s.good.parse = count(2), count(1), count(1)
	s.share.parse, s.max.parse = parseShare, parseMax
	const each = "; NETWORK=VALUE for one network, may be repeated"
	flags.Var(&s.missed, "missed-heartbeats", "intervals without a heartbeat after which a node is down (default 3)"+each)
	flags.Var(&s.failed, "failed-probes", "failed probes in a row after which a node is down (default 3)"+each)
	flags.Var(&s.good, "good-signs", "heartbeats or probes in a row after which a node is up again (default 2)"+each)
	flags.Var(&s.share, "brake-share", "share of a network's nodes that may turn down within a minute; beyond it none does for a while (default 30%)"+each)
	flags.Var(&s.max, "brake-max", "for how long the brake holds at most (default 5m0s)"+each)
	flags.Var(prefixes{&s.allow}, "probe-allow", "address or network that may be probed beside the addresses from which nodes connect"+each)
}

// For returns what holds for a network.
func (s *Settings) For(network string) Network {
	n := Network{
		Rules: healthwatch.Rules{Missed: int(s.missed.of(network)), Failed: int(s.failed.of(network)), Good: int(s.good.of(network))},
		Brake: healthwatch.Brake{Share: s.share.of(network), Max: time.Duration(s.max.of(network))},
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
	for flag, v := range map[string]value{
		"missed-heartbeats": s.missed, "failed-probes": s.failed, "good-signs": s.good, "brake-share": s.share, "brake-max": s.max,
	} {
		for _, one := range v.given {
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

// scope takes NETWORK=VALUE apart.
func scope(text string) (network, value string) {
	if network, value, ok := strings.Cut(text, "="); ok {
		return network, value
	}
	return "", text
}

// A value is a flag that takes a number for all networks or for one.
type value struct {
	parse func(string) (float64, error)
	given []scoped[float64]
}

// of returns what was given for a network, else for all, else 0.
func (v *value) of(network string) (most float64) {
	for _, one := range v.given {
		switch one.network {
		case network:
			return one.value
		case "":
			most = one.value
		}
	}
	return most
}

// String lists what was given.
func (v *value) String() string { return strings.Join(v.GetSlice(), ",") }

// Type names the kind, for --help.
func (v *value) Type() string { return "[NETWORK=]value" }

// Set adds those of a list with commas.
func (v *value) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if err := v.Append(one); err != nil {
			return err
		}
	}
	return nil
}

// Append adds one; of two for the same network the later counts.
func (v *value) Append(text string) error {
	network, number := scope(strings.TrimSpace(text))
	parsed, err := v.parse(number)
	if err != nil {
		return err
	}
	v.given = slices.DeleteFunc(v.given, func(have scoped[float64]) bool { return have.network == network })
	v.given = append(v.given, scoped[float64]{network, text, parsed})
	return nil
}

// Replace takes a whole list instead.
func (v *value) Replace(texts []string) error {
	v.given = nil
	return v.Set(strings.Join(texts, ","))
}

// GetSlice lists what was given.
func (v *value) GetSlice() []string {
	var texts []string
	for _, one := range v.given {
		texts = append(texts, one.text)
	}
	return texts
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

// prefixes is a flag that takes addresses and networks for all networks or one.
type prefixes struct{ given *[]scoped[netip.Prefix] }

// String lists them.
func (p prefixes) String() string { return strings.Join(p.GetSlice(), ",") }

// Type names the kind, for --help.
func (prefixes) Type() string { return "[NETWORK=]CIDR" }

// Set adds those of a list with commas.
func (p prefixes) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if err := p.Append(one); err != nil {
			return err
		}
	}
	return nil
}

// Append adds one.
func (p prefixes) Append(text string) error {
	network, prefix := scope(strings.TrimSpace(text))
	parsed, err := cli.ParsePrefix(prefix)
	if err == nil {
		*p.given = append(*p.given, scoped[netip.Prefix]{network, text, parsed})
	}
	return err
}

// Replace takes a whole list instead.
func (p prefixes) Replace(texts []string) error {
	*p.given = nil
	return p.Set(strings.Join(texts, ","))
}

// GetSlice lists them.
func (p prefixes) GetSlice() []string {
	var texts []string
	if p.given != nil {
		for _, one := range *p.given {
			texts = append(texts, one.text)
		}
	}
	return texts
}
