package probe_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func probeTime() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// A probeLab is a network with a node that is probed.
type probeLab struct {
	ca     *testca.Authority
	node   identity.NodeID
	prober *probe.Prober
}

// newProbeLab returns a lab of which the prober may contact this machine.
func newProbeLab(t *testing.T) *probeLab {
	t.Helper()
	ca := testca.New("production", "a", probeTime())
	return &probeLab{ca: ca, node: ca.ID("databaseservice", "db-1"), prober: &probe.Prober{
		Source: ca.Source(ca.ID("registry", "one")), Now: probeTime,
		Policy: probe.Policy{Loopback: true},
	}}
}

// patient lets probes over real connections take as long as this machine needs.
func (l *probeLab) patient() *probeLab {
	l.prober = l.prober.Patient()
	return l
}

// target is the node at an address, to be probed in a way.
func (l *probeLab) target(kind identity.CheckType, at netip.AddrPort) probe.Target {
	return probe.Target{
		Node: l.node, From: at.Addr(),
		Endpoint: identity.Endpoint{Address: at.Addr().String(), Name: "main", Port: int64(at.Port()), Protocol: "tcp"},
		Check:    identity.Check{Type: kind, Interval: 10},
	}
}

// listen opens a listener on loopback for the length of a test.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func addrPort(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

// serve runs an HTTP server for the length of a test; c is nil for one without
// TLS, and chooses the protocols by NextProtos.
func serve(t *testing.T, c *tls.Config, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	if c == nil {
		s.Start()
	} else {
		s.TLS, s.EnableHTTP2 = c, true
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return addrPort(s.Listener.Addr())
}

// nodeTLS is a server's configuration that shows a certificate and asks callers
// for theirs.
func nodeTLS(shown *tls.Certificate, protocols ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*shown}, ClientAuth: tls.RequireAnyClientCert, NextProtos: protocols, MinVersion: tls.VersionTLS12}
}

// wantProbe compares what a probe says with want; "" is success.
func wantProbe(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, refused := errors.AsType[*probe.RefusedError](err); refused {
		t.Errorf("policy refused: %v", err)
	}
	if _, own := errors.AsType[*probe.OwnFaultError](err); own {
		t.Errorf("the registry is blamed: %v", err)
	}
}

// wantOwnFault compares what a probe says of the registry itself with want.
func wantOwnFault(t *testing.T, err error, want string) {
	t.Helper()
	if own, ok := errors.AsType[*probe.OwnFaultError](err); !ok || own.Reason != want {
		t.Errorf("got %T %v, want a fault of the registry: %q", err, err, want)
	}
}
