package registry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry"
)

// unrecognizedName is how crypto/tls calls alert 112.
const unrecognizedName = "unrecognized name"

// as returns a client that asks s for a server name and shows a certificate,
// whatever the server shows.
func as(t *testing.T, s *served, sni string, cred *tls.Certificate) *http.Client {
	t.Helper()
	conf := &tls.Config{ServerName: sni, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if cred != nil {
		conf.Certificates = []tls.Certificate{*cred}
	}
	transport := &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", s.addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func TestNetworksShareNothing(t *testing.T) {
	production, staging := newWorld(t, "production", time.Now), newWorld(t, "staging", time.Now)
	worlds := map[string]*world{"production": production, "staging": staging}
	s := serve(t, nil, production, staging)
	for name, w := range worlds {
		newNode(t, w, s, "databaseservice", "in-"+name).register(1)
	}
	stranger := testca.New("production", "somebody else's", time.Now())
	certs := func(nth int) map[string]*tls.Certificate { // each turn has the budget of other identities
		label := fmt.Sprintf("asking-%d", nth)
		return map[string]*tls.Certificate{
			"production": production.ca.Issue(production.ca.ID("databaseservice", label)).TLS(),
			"staging":    staging.ca.Issue(staging.ca.ID("databaseservice", label)).TLS(),
			"stranger":   stranger.Issue(stranger.ID("databaseservice", label)).TLS(),
			"signing":    production.ca.IssueSigning(production.ca.ID("registry", "reg-1")).TLS(),
			"none":       nil,
		}
	}
	names := map[string]string{ // SNI to the network that it chooses
		"registry.production.netget.internal": "production",
		"production.netget.internal":          "production",
		"Registry.PRODUCTION.netget.internal": "production",
		"x.y.staging.netget.internal":         "staging",
		"staging.netget.internal":             "staging",
		"localhost":                           "", // an extra of both
		"netget.internal":                     "",
		"xproduction.netget.internal":         "",
		"":                                    "",
	}
	hosts := map[string]string{ // Host to the network that it is of
		"registry.production.netget.internal":      "production",
		"REGISTRY.staging.netget.internal:8438":    "staging",
		"reg-1.registry.staging.netget.internal.:": "staging",
		"lb.example.org":                           "",
		s.addr:                                     "",
	}
	turn := 0
	for sni, chosen := range names {
		turn++
		for cert, shown := range certs(turn) {
			c := as(t, s, sni, shown)
			for host, of := range hosts {
				t.Run(fmt.Sprintf("certificate of %s, SNI %s, Host %s", cert, sni, host), func(t *testing.T) {
					checkTenant(t, c, s, host, cert, chosen, of)
				})
			}
		}
	}
	for name, w := range worlds {
		if got := w.catalog.Snapshot().Head(); got.Records != 1 {
			t.Errorf("%s has %d records", name, got.Records)
		}
	}
}

// checkTenant asks for the one service that each network has, and tries to
// write.
func checkTenant(t *testing.T, c *http.Client, s *served, host, cert, chosen, of string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		path, body := "/v1/services/databaseservice", ""
		if method == http.MethodPost {
			path, body = "/v1/records", "a.b.c"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Content-Type", discovery.JWSType)
		res, err := c.Do(req)
		if chosen == "" {
			if err == nil || !strings.Contains(err.Error(), unrecognizedName) {
				t.Fatalf("a name that chooses no network: got %v, want unrecognized_name", err)
			}
			continue
		}
		if cert != chosen {
			if err == nil {
				t.Fatalf("a foreign certificate got status %d", res.StatusCode)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r := read(t, res)
		switch {
		case of != "" && of != chosen:
			refused(t, r, http.StatusMisdirectedRequest, identity.WrongNetwork)
		case method == http.MethodPost:
			refused(t, r, http.StatusBadRequest, identity.Malformed)
		default:
			want(t, r, http.StatusOK)
			other := map[string]string{"production": "staging", "staging": "production"}[chosen]
			if !opensIn(chosen, r) || opensIn(other, r) {
				t.Errorf("the answer is not that of %s alone", chosen)
			}
		}
	}
}

// opensIn reports whether an answer verifies in a network of the tests.
func opensIn(network string, r reply) bool {
	now := time.Now()
	ca := testca.New(network, network, now)
	v, err := discovery.NewOpener(ca.Bundle()).Answer(r.body, discovery.Ask{Service: "databaseservice", Now: now})
	return err == nil && len(v.Nodes) == 1 && v.Nodes[0].Record.Node.Label() == "in-"+network
}

func TestOneNetworkNeedsNoName(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	cred := w.ca.Issue(w.ca.ID("client", "laptop")).TLS()
	for _, sni := range []string{"", "localhost", "LOCALHOST"} {
		res, err := as(t, s, sni, cred).Get("https://" + s.addr + "/v1/head")
		if err != nil {
			t.Fatalf("SNI %q: %v", sni, err)
		}
		want(t, read(t, res), http.StatusOK)
	}
}

func TestNewRefusesNetworksUnderOneAnother(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	_, err := registry.New(registry.Config{Networks: []registry.Network{
		{Source: w.source, Catalog: w.catalog}, {Source: w.source, Catalog: w.catalog},
	}})
	if err == nil {
		t.Error("two networks of one name were taken")
	}
	if _, err := registry.New(registry.Config{}); err == nil {
		t.Error("a server without networks was made")
	}
}

func TestCallersThatAreNotLetIn(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	id := w.ca.ID("databaseservice", "db-1")
	old := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Minute)
	}
	for name, cred := range map[string]*identity.Credential{
		"an expired certificate":      w.ca.Issue(id, old),
		"a certificate of the future": w.ca.Issue(id, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(2 * time.Minute) }),
		"a CA as a leaf":              w.ca.Issue(id, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign }),
		"a signing certificate":       w.ca.IssueSigning(w.ca.ID("registry", "reg-1")),
	} {
		t.Run(name, func(t *testing.T) {
			res, err := as(t, s, w.ca.TD.RegistryName(), cred.TLS()).Get("https://" + s.addr + "/v1/head")
			if err == nil {
				t.Errorf("it got status %d", read(t, res).status)
			}
		})
	}
}
