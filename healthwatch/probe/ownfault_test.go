package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// failing dials with an error, as the kernel's come.
func failing(err error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
}

// What this machine lacks is not said of a node.
func TestFaultsOfTheRegistryAreNotTheNodes(t *testing.T) {
	lab := newProbeLab(t)
	at := netip.MustParseAddrPort("127.0.0.1:5432")
	for _, own := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EACCES, syscall.EPERM,
	} {
		for _, kind := range kinds() {
			err := lab.prober.WithDial(failing(own)).Probe(t.Context(), lab.target(kind, at))
			wantOwnFault(t, err, "this machine could not contact it: "+own.Error())
		}
	}
	for number, want := range map[syscall.Errno]string{
		syscall.ECONNREFUSED: "connection refused", syscall.EHOSTUNREACH: "no route to host",
		syscall.ECONNRESET: "connection reset by peer", syscall.ETIMEDOUT: "no answer within 2s",
	} {
		for _, kind := range kinds() {
			wantProbe(t, lab.prober.WithDial(failing(number)).Probe(t.Context(), lab.target(kind, at)), want)
		}
	}
}

// Where the addresses of the registry are not known, a name that may be one of
// them is not the node's fault either.
func TestProbeWithoutOwnAddresses(t *testing.T) {
	lab := newProbeLab(t)
	lab.prober.Policy = machine(probe.Policy{})
	lab.prober.Policy.OwnAddresses = func() ([]netip.Addr, error) { return nil, errors.New("no netlink") }
	addr := netip.MustParseAddr("192.0.2.7")
	lab.prober.Resolver = &names{addrs: [][]netip.Addr{{addr, netip.MustParseAddr("169.254.169.254")}}}
	target := lab.target(identity.CheckTCP, netip.AddrPortFrom(addr, 8438))
	for _, address := range []string{addr.String(), "db-1.example"} {
		target.Endpoint.Address = address
		wantOwnFault(t, lab.prober.WithDial(nobody(t)).Probe(t.Context(), target), "the addresses of this machine are not known: no netlink")
	}
	if refused := lab.prober.Forbids(target); refused != nil {
		t.Errorf("policy refused: %v", refused)
	}
}

// A lateContext has a deadline that is over, and has not yet noticed.
type lateContext struct{ context.Context }

// Deadline returns what was a second ago.
func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// Who ends a probe does not blame the node, though the connection notices first.
func TestDeadlineOfTheCallerIsNotTheNodes(t *testing.T) {
	lab := newProbeLab(t)
	ctx := lateContext{t.Context()}
	target := lab.target(identity.CheckTCP, netip.MustParseAddrPort("127.0.0.1:5432"))
	wantOwnFault(t, lab.prober.WithDial(failing(os.ErrDeadlineExceeded)).Probe(ctx, target), "the probe was given up")
	wantProbe(t, lab.prober.WithDial(failing(os.ErrDeadlineExceeded)).Probe(t.Context(), target), "no answer within 2s")
}

// What follows from an address alone is known before any probe; of a name nothing is.
func TestForbidsSaysWhatIsKnownWithoutALookUp(t *testing.T) {
	lab := newProbeLab(t)
	lab.prober.Policy, lab.prober.Resolver = machine(probe.Policy{}), &names{err: errors.New("nobody is asked")}
	target := lab.target(identity.CheckTCP, netip.MustParseAddrPort("192.0.2.7:5432"))
	if refused := lab.prober.Forbids(target); refused != nil {
		t.Errorf("where the node connects from: %v", refused)
	}
	target.Endpoint.Address = "169.254.169.254"
	if refused := lab.prober.Forbids(target); refused == nil || refused.Reason != "169.254.169.254 is link-local" {
		t.Errorf("the metadata address: %v", refused)
	}
	target.Endpoint.Address = "db-1.example"
	if refused := lab.prober.Forbids(target); refused != nil {
		t.Errorf("a name: %v", refused)
	}
}
