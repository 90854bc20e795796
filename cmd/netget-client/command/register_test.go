package command_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/neurons-me/netget/cmd/netget-client/command"
	"github.com/neurons-me/netget/internal/cli"
)

// run runs the program in a home where nobody has enrolled: what was understood
// on the command line ends with "no identity".
func run(t *testing.T, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := cli.Process{
		Args: append([]string{"--home", t.TempDir()}, args...), UID: 1000,
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	}
	exit = command.New(p).Run(context.Background())
	return exit, out.String(), errs.String()
}

const understood = "no identity"

func TestRegisterReadsPlacesChecksAndMetadata(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string // in the error
	}{
		"takes an IPv4 address":              {[]string{"--address", "10.0.0.7:5432"}, understood},
		"takes an IPv6 address in brackets":  {[]string{"--address", "[2001:DB8::7]:5432"}, understood},
		"takes a mapped address as IPv4":     {[]string{"--address", "[::ffff:10.0.0.7]:5432"}, understood},
		"takes a DNS name in any case":       {[]string{"--address", "DB.Example.org:5432"}, understood},
		"refuses an address without a port":  {[]string{"--address", "10.0.0.7"}, "not of the form HOST:PORT"},
		"refuses an address without a host":  {[]string{"--address", ":5432"}, "not of the form HOST:PORT"},
		"refuses IPv6 without brackets":      {[]string{"--address", "2001:db8::7:5432"}, "not of the form HOST:PORT"},
		"refuses port 0":                     {[]string{"--address", "10.0.0.7:0"}, "not a port"},
		"refuses the name of a port":         {[]string{"--address", "10.0.0.7:http"}, "not a port"},
		"refuses all addresses at once":      {[]string{"--address", "[::]:80"}, "nobody else can reach"},
		"refuses an address with a zone":     {[]string{"--address", "[fe80::1%eth0]:80"}, "nobody else can reach"},
		"refuses what is no name":            {[]string{"--address", "db_1.example.org:80"}, "neither an IP address nor a DNS name"},
		"refuses a URL":                      {[]string{"--address", "http://10.0.0.7:80"}, "not of the form HOST:PORT"},
		"wants a place":                      {nil, "needs to know where the service is reached"},
		"takes an endpoint alone":            {[]string{"--endpoint", "dns=10.0.0.7:53/udp"}, understood},
		"takes an endpoint over TCP":         {[]string{"--endpoint", "web=10.0.0.7:80/tcp"}, understood},
		"refuses an endpoint without a name": {[]string{"--endpoint", "=10.0.0.7:80"}, "not of the form NAME=HOST:PORT"},
		"refuses another protocol":           {[]string{"--endpoint", "web=10.0.0.7:80/sctp"}, `"sctp" is not a protocol`},
		"takes values with commas":           {[]string{"--address", "10.0.0.7:80", "--meta", "tags=a,b", "--meta", "x=a=b"}, understood},
		"takes an empty value":               {[]string{"--address", "10.0.0.7:80", "--meta", "x="}, understood},
		"refuses a key twice":                {[]string{"--address", "10.0.0.7:80", "--meta", "x=1", "--meta", "x=2"}, `"x" is given twice`},
		"refuses a pair without a value":     {[]string{"--address", "10.0.0.7:80", "--meta", "x"}, "not of the form KEY=VALUE"},
		"takes a check without a path":       {[]string{"--address", "10.0.0.7:80", "--check", "grpc"}, understood},
		"takes a check with a path":          {[]string{"--address", "10.0.0.7:80", "--check", "https:/healthz"}, understood},
		"refuses a path where none is":       {[]string{"--address", "10.0.0.7:80", "--check", "tcp:/x"}, "tcp takes no path"},
		"refuses a relative path":            {[]string{"--address", "10.0.0.7:80", "--check", "http:x"}, "does not begin with /"},
		"refuses another check":              {[]string{"--address", "10.0.0.7:80", "--check", "icmp"}, "not a check"},
		"refuses a life of nothing":          {[]string{"--address", "10.0.0.7:80", "--ttl", "0s"}, "at least 1s"},
		"refuses two services":               {[]string{"a", "b", "--address", "10.0.0.7:80"}, "takes one service"},
		"refuses a dash without a command":   {[]string{"--address", "10.0.0.7:80", "--"}, "no command after --"},
	} {
		t.Run(name, func(t *testing.T) {
			exit, stdout, stderr := run(t, append([]string{"register"}, c.args...)...)
			if exit != cli.ExitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
				t.Errorf("got exit %d, stdout %q, stderr %q; want exit %d and %q on stderr", exit, stdout, stderr, cli.ExitUsage, c.want)
			}
			if strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "\nhint: ") {
				t.Errorf("got %q, want two lines, error and hint", stderr)
			}
		})
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, name := range []string{"enroll", "register", "deregister", "discover", "node", "services", "verify", "status"} {
		exit, stdout, _ := run(t, name, "--help")
		if exit != cli.ExitOK || !strings.Contains(stdout, "Examples:\n  netget-") {
			t.Errorf("%s --help: got exit %d and %q, want examples", name, exit, stdout)
		}
	}
}
