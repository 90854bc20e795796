package probe_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestProbeTCP(t *testing.T) {
	lab := newProbeLab(t).patient()
	l := listen(t, "127.0.0.1:0")
	at := addrPort(l.Addr())
	wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckTCP, at)), "")
	_ = l.Close()
	wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckTCP, at)), "connection refused")
}

func TestProbeHTTP(t *testing.T) {
	lab := newProbeLab(t).patient()
	at := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.ProtoMajor != 1:
			w.WriteHeader(http.StatusTeapot)
		case r.URL.Path == "/healthz" || r.URL.Path == "/":
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		case r.URL.Path == "/early":
			w.WriteHeader(http.StatusEarlyHints)
		case r.URL.Path == "/headers":
			w.Header().Set("X-Large", strings.Repeat("x", 8<<10))
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	for path, want := range map[string]string{
		"": "", "/healthz": "", "/large": "", "/early": "",
		"/down": "HTTP status 503", "//": "HTTP status 503",
		"/headers": "it says more than a probe reads",
	} {
		target := lab.target(identity.CheckHTTP, at)
		target.Check.Path = path
		t.Run("path "+path, func(t *testing.T) { wantProbe(t, lab.prober.Probe(t.Context(), target), want) })
	}
	t.Run("a server that speaks TLS", func(t *testing.T) {
		at := serve(t, nodeTLS(lab.ca.Issue(lab.node).TLS()), func(http.ResponseWriter, *http.Request) {})
		wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckHTTP, at)), "HTTP status 400")
	})
}

func TestProbeHTTPS(t *testing.T) {
	lab := newProbeLab(t).patient()
	for _, protocol := range []string{"h2", "http/1.1"} {
		at := serve(t, nodeTLS(lab.ca.Issue(lab.node).TLS(), protocol), func(w http.ResponseWriter, r *http.Request) {
			switch {
			case len(r.TLS.PeerCertificates) == 0 || r.TLS.NegotiatedProtocol != protocol:
				w.WriteHeader(http.StatusTeapot)
			case r.URL.Path == "/large":
				_, _ = w.Write(make([]byte, 1<<20))
			case r.URL.Path == "/headers":
				w.Header().Set("X-Large", strings.Repeat("x", 8<<10))
			case r.URL.Path != "/":
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		for path, want := range map[string]string{"": "", "/large": "", "/down": "HTTP status 500", "/headers": "it says more than a probe reads"} {
			target := lab.target(identity.CheckHTTPS, at)
			target.Check.Path = path
			t.Run(protocol+" "+path, func(t *testing.T) { wantProbe(t, lab.prober.Probe(t.Context(), target), want) })
		}
	}
	t.Run("a server without TLS", func(t *testing.T) {
		at := serve(t, nil, func(http.ResponseWriter, *http.Request) {})
		wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckHTTPS, at)), "its answer is not TLS")
	})
}

// Whoever answers at the node's address without being the node fails every kind
// of probe that asks for proof.
func TestProbeWantsTheIdentityOfTheRecord(t *testing.T) {
	lab := newProbeLab(t).patient()
	other, development := testca.New("production", "b", probeTime()), testca.New("development", "c", probeTime())
	revoked := lab.ca.Issue(lab.node)
	registry := lab.ca.Identity(lab.ca.ID("registry", "one"))
	registry.Bundle = lab.ca.Bundle(lab.ca.CRL(1, revoked.Leaf()))
	source, err := identity.NewMemorySource(registry)
	if err != nil {
		t.Fatal(err)
	}
	lab.prober.Source = source
	alone := *lab.ca.Issue(lab.node).TLS()
	alone.Certificate = alone.Certificate[:1]
	over := func(c *x509.Certificate) { c.NotAfter = probeTime().Add(-61 * time.Second) }
	anotherLabel, anotherNetwork := lab.ca.ID("databaseservice", "db-2"), development.ID("databaseservice", "db-1")
	rows := []struct {
		name   string
		server *tls.Config
		want   string // how the answer begins; "" for success
	}{
		{"accepts the node", nodeTLS(lab.ca.Issue(lab.node).TLS()), ""},
		{"refuses another node of the service", nodeTLS(lab.ca.Issue(anotherLabel).TLS()), "binding: " + anotherLabel.String() + " answers, not "},
		{"refuses a registry", nodeTLS(lab.ca.Issue(lab.ca.ID("registry", "two")).TLS()), "binding: "},
		{"refuses a client", nodeTLS(lab.ca.Issue(lab.ca.ID("client", "alice")).TLS()), "certificate: "},
		{"refuses the node of another root", nodeTLS(other.Issue(lab.node).TLS()), "certificate: "},
		{"refuses the node of another network", nodeTLS(development.Issue(anotherNetwork).TLS()), "certificate: "},
		{"refuses a leaf without its issuer", nodeTLS(&alone), "certificate: "},
		{"refuses an expired certificate", nodeTLS(lab.ca.Issue(lab.node, over).TLS()), "certificate: "},
		{"refuses a revoked certificate", nodeTLS(revoked.TLS()), "revoked: "},
		{"refuses TLS 1.2", &tls.Config{Certificates: []tls.Certificate{*lab.ca.Issue(lab.node).TLS()}, MaxVersion: tls.VersionTLS12}, "it refuses by TLS"},
	}
	for _, kind := range []identity.CheckType{identity.CheckMTLS, identity.CheckHTTPS, identity.CheckGRPC} {
		for _, row := range rows {
			t.Run(string(kind)+" "+row.name, func(t *testing.T) {
				asked := make(chan struct{}, 1)
				at := serve(t, row.server.Clone(), func(w http.ResponseWriter, _ *http.Request) {
					asked <- struct{}{}
					answerGRPC(w, "0", 0, 0, 0, 0, 2, 8, 1)
				})
				err := lab.prober.Probe(t.Context(), lab.target(kind, at))
				if row.want == "" {
					wantProbe(t, err, "")
					return
				}
				if err == nil || !strings.HasPrefix(err.Error(), row.want) {
					t.Errorf("got %v, want %q", err, row.want)
				}
				if len(asked) != 0 {
					t.Error("it was asked something")
				}
			})
		}
	}
}

// An mtls probe goes well whatever the node speaks inside, and takes its leave
// as TLS wants it: servers log the end of those who do not.
func TestProbeMTLSWithAnyProtocol(t *testing.T) {
	lab := newProbeLab(t).patient()
	l := listen(t, "127.0.0.1:0")
	said := make(chan []byte, 1)
	go func() {
		defer close(said)
		raw, err := l.Accept()
		if err != nil {
			return
		}
		defer raw.Close()
		tap := &tappedConn{Conn: raw}
		drain(tls.Server(tap, nodeTLS(lab.ca.Issue(lab.node).TLS(), "postgresql"))) //nolint:forbidigo // a node's server of another kind
		said <- tap.read.Bytes()
	}()
	wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckMTLS, addrPort(l.Addr()))), "")
	const closeNotify = 2 + 1 + 16 // alert, type, tag
	last := 0
	for b := <-said; len(b) >= 5; b = b[5+last:] {
		last = int(binary.BigEndian.Uint16(b[3:]))
	}
	if last != closeNotify {
		t.Errorf("the last record has %d bytes, want the %d of close_notify", last, closeNotify)
	}
}

// A tappedConn keeps what is read.
type tappedConn struct {
	net.Conn
	read bytes.Buffer
}

// Read reads, and keeps it.
func (c *tappedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Write(b[:n])
	return n, err
}

// Without a resolver the system's is asked.
func TestProbeAsksTheSystemForNames(t *testing.T) {
	lab := newProbeLab(t).patient()
	target := lab.target(identity.CheckTCP, addrPort(listen(t, "127.0.0.1:0").Addr()))
	target.Endpoint.Address = "localhost"
	wantProbe(t, lab.prober.Probe(t.Context(), target), "")
}

func TestProbeByNameDialsTheAddress(t *testing.T) {
	lab := newProbeLab(t).patient()
	at := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if host, _, _ := net.SplitHostPort(r.Host); host != "db-1.example" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	lab.prober.Resolver = &names{addrs: [][]netip.Addr{{at.Addr()}}}
	target := lab.target(identity.CheckHTTP, at)
	target.Endpoint.Address = "db-1.example"
	wantProbe(t, lab.prober.Probe(t.Context(), target), "")
}
