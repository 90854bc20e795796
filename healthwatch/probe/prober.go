package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/neurons-me/netget/identity"
)

// probeTimeout is what one probe may take (docs/protocol.md section 6).
const probeTimeout = 2 * time.Second

// A Prober contacts nodes. Source, Now and Policy.OwnPorts are required.
type Prober struct {
	Source   *identity.Source // the registry's own identity, shown to who asks for one
	Now      func() time.Time
	Policy   Policy
	Resolver Resolver // nil: the system's

	dial    func(ctx context.Context, network, address string) (net.Conn, error) // nil: that of [net.Dialer]
	timeout time.Duration                                                        // zero: probeTimeout
}

// Probe contacts a node once, by one connection to one address, in at most 2 s.
// An error says what was wrong, in a few words of printable ASCII, of which none
// are repeated from the other side; a [*RefusedError] that nobody was contacted,
// an [*OwnFaultError] that nothing is known about the node, as when ctx has ended.
func (p *Prober) Probe(ctx context.Context, t Target) error {
	limited, cancel := context.WithTimeout(ctx, cmp.Or(p.timeout, probeTimeout))
	defer cancel()
	err := p.probe(limited, t)
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused
	}
	if own, ok := errors.AsType[*OwnFaultError](err); ok {
		return own
	}
	if isOver(ctx) {
		return &OwnFaultError{"the probe was given up"}
	}
	return errors.New(inShort(limited, err))
}

func (p *Prober) probe(ctx context.Context, t Target) error {
	if t.Check.Type == identity.CheckNone {
		return refuse("its record asks for no probes")
	}
	var resolver Resolver = net.DefaultResolver
	if p.Resolver != nil {
		resolver = p.Resolver
	}
	addr, err := p.Policy.resolve(ctx, resolver, t.Endpoint, t.From)
	if err != nil {
		return err
	}
	err = p.contact(ctx, addr, t)
	if own := ownFault(err); own != nil {
		return own
	}
	return err
}

// Forbids returns why a target is not contacted, where that follows from its
// address alone.
func (p *Prober) Forbids(t Target) *RefusedError {
	addr, err := netip.ParseAddr(t.Endpoint.Address)
	if err != nil {
		return nil //nolint:nilerr // a name: nobody knows what it will be then
	}
	refused, _ := errors.AsType[*RefusedError](p.Policy.Check(addr, t.Endpoint.Port, t.From))
	return refused
}

// contact dials an address that was checked, and speaks as the record asks.
func (p *Prober) contact(ctx context.Context, addr netip.AddrPort, t Target) error {
	dial := p.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	raw, err := dial(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }() // whatever still reads or writes ends now
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	conn := &boundedConn{Conn: raw, left: probeTLSBytes}
	switch t.Check.Type {
	case identity.CheckTCP:
		return nil
	case identity.CheckHTTP:
		return askHTTP(ctx, conn, t)
	case identity.CheckMTLS:
		return p.secured(ctx, conn, t, nil, nil) // whatever it speaks
	case identity.CheckHTTPS:
		return p.secured(ctx, conn, t, askHTTP, []string{"h2", "http/1.1"})
	case identity.CheckGRPC:
		return p.secured(ctx, conn, t, askGRPC, []string{"h2"})
	case identity.CheckNone:
	}
	return find("%q is not a kind of probe", t.Check.Type)
}

// secured has the other side prove that it is the node, and then asks.
func (p *Prober) secured(ctx context.Context, conn net.Conn, t Target, ask func(context.Context, net.Conn, Target) error, protocols []string) error {
	c := identity.NodeTLS(p.Source, t.Node, p.Now)
	c.NextProtos = protocols
	secured := tls.Client(conn, c) //nolint:forbidigo // the configuration is identity's
	if err := secured.HandshakeContext(ctx); err != nil {
		return &foreignError{"the TLS handshake failed", err}
	}
	defer func() { _ = secured.Close() }()
	if ask == nil {
		return nil
	}
	return ask(ctx, secured, t)
}
