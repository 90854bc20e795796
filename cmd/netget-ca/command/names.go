package command

import (
	"errors"
	"net"
	"net/netip"
	"strconv"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// checkNode refuses names that no node can have, before anybody is asked. They
// are in lower case already.
func checkNode(service, node string) error {
	td, err := identity.NewTrustDomain("any", identity.DefaultDomain)
	if err == nil && node == "" {
		node = "any"
	}
	if err == nil {
		_, err = identity.NewNodeID(td, service, node)
	}
	return badName(err)
}

// checkNetwork refuses a name that no network can have.
func checkNetwork(name, domain string) error {
	_, err := identity.NewTrustDomain(name, domain)
	return badName(err)
}

func badName(err error) error {
	if refusal, ok := errors.AsType[*identity.Error](err); ok {
		return cli.Hint(cli.Usage("%s", refusal.Reason), "choose another of letters, digits and dashes; see 'Names and identities' in docs/protocol.md")
	}
	return err
}

// checkAddress wants host:port and tells whether it stands for every address
// of the machine.
func checkAddress(flag, address string) (everywhere bool, err error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return false, cli.Hint(cli.Usage("--%s: %q is not of the form host:port", flag, address), "give an address and a port, such as 127.0.0.1:8439; port 0 takes a free one")
	}
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified(), nil
}
