package healthflags_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/neurons-me/netget/cmd/internal/healthflags"
	"github.com/neurons-me/netget/healthwatch"
)

func parse(args string) (*healthflags.Settings, error) {
	var s healthflags.Settings
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	healthflags.Add(flags, &s)
	return &s, flags.Parse(strings.Fields(args))
}

func TestValuesAreForAllNetworksOrOne(t *testing.T) {
	s, err := parse("--missed-heartbeats 4 --missed-heartbeats production=5 --failed-probes production=2 --good-signs 1 " +
		"--brake-share production=25%,0.5 --brake-max 10m --probe-allow 10.1.0.0/16 --probe-allow production=10.2.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for network, want := range map[string]healthflags.Network{
		"development": {
			Rules: healthwatch.Rules{Missed: 4, Good: 1}, Brake: healthwatch.Brake{Share: 0.5, Max: 10 * time.Minute},
			Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
		},
		"production": {
			Rules: healthwatch.Rules{Missed: 5, Failed: 2, Good: 1}, Brake: healthwatch.Brake{Share: 0.25, Max: 10 * time.Minute},
			Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.1/32")},
		},
	} {
		if diff := cmp.Diff(want, s.For(network), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", network, diff)
		}
	}
	if err := s.Check([]string{"development", "production"}); err != nil {
		t.Error(err)
	}
	if err := s.Check([]string{"development"}); err == nil || !strings.Contains(err.Error(), `the network "production" is not served here`) {
		t.Errorf("got %v", err)
	}
}

func TestNothingGivenIsTheDefault(t *testing.T) {
	s, err := parse("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(healthflags.Network{}, s.For("production")); diff != "" {
		t.Error(diff)
	}
	if err := s.Check(nil); err != nil {
		t.Error(err)
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	for _, args := range []string{
		"--missed-heartbeats 1", "--missed-heartbeats x", "--missed-heartbeats production=", "--failed-probes 0", "--good-signs 1001",
		"--brake-share 0", "--brake-share 101%", "--brake-share NaN", "--brake-share -1", "--brake-max 0s", "--brake-max 2h", "--brake-max 300",
		"--probe-allow 10.1.2.3/16", "--probe-allow 0.0.0.0/0", "--probe-allow db.example.org", "--probe-allow production=",
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%s was taken", args)
		}
	}
}
