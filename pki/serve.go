package pki

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
)

// Limits of the server.
const (
	maxHeaderBytes    = 12 << 10 // net/http reads 4 KiB more before it refuses
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 5 * time.Second // callers come seldom; a place that is kept for nothing keeps others out
	drainTimeout      = 5 * time.Second
	serverCertTimeout = 5 * time.Second
)

// Serve answers on l, which it closes, until ctx ends; then it lets requests
// finish for at most 5 s and returns nil.
func (ca *CA) Serve(ctx context.Context, l net.Listener) error {
	for _, n := range ca.all() {
		if _, err := ca.serverCertificate(ctx, n); err != nil && ctx.Err() == nil {
			_ = l.Close()
			return err
		}
	}
	server := &http.Server{
		Handler:           connlimit.Holding(ca.handler()),
		ConnContext:       connlimit.WithPlace,
		TLSConfig:         http1TLS(identity.ServerTLS(func(sni string) *identity.Tenant { return ca.tenant(ctx, sni) })),
		Protocols:         http1(),
		ReadHeaderTimeout: readHeaderTimeout, // bounds the handshake too
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// "OPTIONS *" is answered like everything else.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(ca.cfg.Logger.Handler(), slog.LevelDebug),
	}
	ca.serving.Store(true) // whoever gets an answer finds it ready
	defer ca.serving.Store(false)
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(ca.limiter.Listener(l), "", "") }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving the certificate authority: %w", err)
	case <-ctx.Done():
	}
	ca.limiter.Stop(ctx, server, drainTimeout)
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the certificate authority: %w", err)
	}
	return nil
}

// Ready reports whether the authority is being served and its inventory
// answers; the error says what is missing.
func (ca *CA) Ready(ctx context.Context) error {
	if !ca.serving.Load() {
		return errors.New("the certificate authority is not being served")
	}
	return ca.store.ping(ctx)
}

// tenant is a network towards TLS; nil for a name that chooses none.
func (ca *CA) tenant(ctx context.Context, sni string) *identity.Tenant {
	n := ca.bySNI(sni)
	if n == nil {
		return nil
	}
	return &identity.Tenant{
		ClientOptional: true,
		Credential: func() *tls.Certificate {
			defer ca.abort(ctx, inHandshake)
			cert, err := ca.serverCertificate(ctx, n)
			if err != nil {
				ca.cfg.Logger.LogAttrs(ctx, slog.LevelError, "the server's certificate cannot be renewed",
					slog.String("network", n.name()), slog.String("reason", err.Error()))
			}
			return cert
		},
		// Time is judged at each request: a certificate that is over may
		// still ask for its renewal.
		Verify: func(state tls.ConnectionState) error {
			defer ca.abort(ctx, inHandshake)
			if len(state.PeerCertificates) == 0 {
				return nil
			}
			_, err := verifyChain(n, state.PeerCertificates)
			return err
		},
	}
}

// verifyChain verifies what a caller has shown, all but its time.
func verifyChain(n *network, shown []*x509.Certificate) (*identity.Certificate, error) {
	if len(shown) != 2 {
		return nil, identity.Refuse(identity.BadCert, "a caller shows its certificate and its issuer's, not %d certificates", len(shown))
	}
	return n.bundle.Verify(shown[0], shown[1], identity.ClientUse)
}

// serverCertificate returns the authority's own certificate in a network, made
// anew from half of its life on, and after the clock was set back to before its
// beginning. When that fails the old one goes on.
func (ca *CA) serverCertificate(ctx context.Context, n *network) (*tls.Certificate, error) {
	current := n.server.Load()
	if current != nil && inFirstHalf(current.Leaf, ca.cfg.Now()) {
		return current, nil
	}
	if current == nil {
		n.renewing.Lock()
	} else if !n.renewing.TryLock() {
		return current, nil // somebody else is at it
	}
	defer n.renewing.Unlock()
	if latest := n.server.Load(); latest != current {
		return latest, nil
	}
	ctx, cancel := context.WithTimeout(ctx, serverCertTimeout)
	defer cancel()
	next, err := ca.makeServerCertificate(ctx, n)
	if err != nil {
		return current, err
	}
	n.server.Store(next)
	return next, nil
}

func inFirstHalf(cert *x509.Certificate, now time.Time) bool {
	half := cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 2)
	return !now.Before(cert.NotBefore) && now.Before(half)
}

func (ca *CA) makeServerCertificate(ctx context.Context, n *network) (*tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("making the server's certificate request: %w", err)
	}
	p := caServerProfile(n.spec, ca.cfg.URL)
	request, err := checkRequest(der, p)
	if err != nil {
		return nil, err
	}
	o, err := ca.order(n, n.node, p, request)
	if err != nil {
		return nil, err
	}
	issued, err := ca.issue(ctx, n, reservation{}, []order{o})
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{
		Certificate: [][]byte{issued[0].Leaf().Raw, issued[0].Issuer().Raw},
		PrivateKey:  key,
		Leaf:        issued[0].Leaf(),
	}, nil
}
