package command

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// parseEndpoint reads NAME=HOST:PORT, with /udp or /tcp after it.
func parseEndpoint(text string) (netget.Endpoint, error) {
	label, place, ok := strings.Cut(text, "=")
	if !ok || label == "" {
		return netget.Endpoint{}, cli.Hint(cli.Usage("--endpoint: %q is not of the form NAME=HOST:PORT", text), "give --endpoint metrics=10.0.0.7:9100, or dns=10.0.0.7:53/udp")
	}
	place, protocol, _ := strings.Cut(place, "/")
	e, err := parsePlace("endpoint", place)
	if err != nil {
		return netget.Endpoint{}, err
	}
	switch protocol {
	case "", "tcp", "udp":
	default:
		return netget.Endpoint{}, cli.Hint(cli.Usage("--endpoint: %q is not a protocol", protocol), "protocols are tcp and udp")
	}
	e.Name, e.Protocol = label, protocol
	return e, nil
}

// parsePlace reads HOST:PORT; an IPv6 address stands in brackets.
func parsePlace(flag, text string) (netget.Endpoint, error) {
	const hint = "give the address at which others reach the service, such as 10.0.0.7:5432, [2001:db8::7]:5432 or db.example.org:5432"
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return netget.Endpoint{}, cli.Hint(cli.Usage("--%s: %q is not of the form HOST:PORT", flag, text), hint)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return netget.Endpoint{}, cli.Hint(cli.Usage("--%s: %q is not a port, 1 to 65535", flag, port), hint)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.IsUnspecified() || addr.Zone() != "" {
			return netget.Endpoint{}, cli.Hint(cli.Usage("--%s: nobody else can reach %s", flag, host), hint)
		}
		host = addr.Unmap().String()
	}
	host = identity.FoldName(host)
	if !identity.IsAddress(host) {
		return netget.Endpoint{}, cli.Hint(cli.Usage("--%s: %q is neither an IP address nor a DNS name", flag, host), hint)
	}
	return netget.Endpoint{Address: host, Port: int(number)}, nil
}

// parseCheck reads none, tcp, mtls, grpc, http:/path or https:/path.
func parseCheck(text string) (netget.Check, error) {
	const hint = "checks are none, tcp, mtls, http:/healthz, https:/healthz and grpc"
	kind, path, hasPath := strings.Cut(text, ":")
	switch kind {
	case "none", "tcp", "mtls", "grpc":
		if hasPath {
			return netget.Check{}, cli.Hint(cli.Usage("--check: %s takes no path", kind), hint)
		}
	case "http", "https":
		if hasPath && !strings.HasPrefix(path, "/") {
			return netget.Check{}, cli.Hint(cli.Usage("--check: the path %q does not begin with /", path), hint)
		}
	default:
		return netget.Check{}, cli.Hint(cli.Usage("--check: %q is not a check", text), hint)
	}
	return netget.Check{Type: kind, Path: path}, nil
}

// parseMetadata reads pairs k=v; values may hold anything, commas and equal
// signs too.
func parseMetadata(pairs []string) (map[string]string, error) {
	metadata := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, cli.Hint(cli.Usage("--meta: %q is not of the form KEY=VALUE", pair), "give --meta version=1.4.2, once for each pair")
		}
		if _, dup := metadata[key]; dup {
			return nil, cli.Hint(cli.Usage("--meta: %q is given twice", key), "a key has one value; tags=a,b lists several words")
		}
		metadata[key] = value
	}
	return metadata, nil
}
