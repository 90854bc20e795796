package registry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/registry"
)

// A guest has one connection to a registry, in the time of a test.
type guest struct {
	*world
	t      *testing.T
	conn   *testpipe.Conn
	client *http.Client
	cred   *identity.Credential
}

// inBubble lets a guest whose certificate ends after a while do something, by
// either version of HTTP.
func inBubble(t *testing.T, left time.Duration, do func(*guest)) {
	t.Helper()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, l := newWorld(t, "production", time.Now), testpipe.Listen()
				s, err := registry.New(registry.Config{Networks: []registry.Network{{Source: w.source, Catalog: w.catalog}}, Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				background(t, func(ctx context.Context) error { return s.Serve(ctx, l) })
				g := &guest{world: w, t: t, conn: l.Dial()}
				g.cred = w.ca.Issue(w.ca.ID("client", "laptop"), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(left - identity.ClockSkew) })
				transport := &http.Transport{
					DialContext:       func(context.Context, string, string) (net.Conn, error) { return g.conn, nil },
					TLSClientConfig:   &tls.Config{ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, Certificates: []tls.Certificate{*g.cred.TLS()}},
					ForceAttemptHTTP2: http2,
				}
				t.Cleanup(transport.CloseIdleConnections)
				g.client = &http.Client{Transport: transport}
				do(g)
				time.Sleep(2 * time.Second) // whoever still writes notices
			})
		})
	}
}

// ask makes a request; an error means that the connection is gone.
func (g *guest) ask(method, path string, body io.Reader) (status int, err error) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, "https://registry"+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/jose")
	if body != nil {
		req.ContentLength = 1000
	}
	res, err := g.client.Do(req)
	if err != nil {
		return 0, err
	}
	return read(g.t, res).status, nil
}

// endsWithin fails unless the connection ends soon after a moment, and not
// before it.
func (g *guest) endsWithin(limit time.Duration, after time.Time) {
	g.t.Helper()
	select {
	case ended := <-g.conn.Ended():
		if late := ended.Sub(after); late < 0 || late > limit {
			g.t.Errorf("the connection ended %s after its certificate", late)
		}
	case <-time.After(time.Until(after.Add(10 * limit))):
		g.t.Error("the connection lives on")
	}
}

// revoke puts a list in force on which the guest's certificate stands.
func (g *guest) revoke() {
	g.t.Helper()
	err := g.source.Update(func(current *identity.Identity) (*identity.Identity, error) {
		next := *current
		next.Bundle = g.ca.Bundle(g.ca.CRL(time.Now().Unix(), g.cred.Leaf()))
		return &next, nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

const connectionLimit = 10 * time.Second // for which a connection may outlive its certificate

// whatever a guest may be doing while its certificate ends.
func whatever() map[string]func(*guest) {
	return map[string]func(*guest){
		"silent": func(*guest) {},
		"waiting for a version": func(g *guest) { // each answer takes 2 s
			for err := error(nil); err == nil; {
				_, err = g.ask(http.MethodGet, "/v1/head?from=7", nil)
			}
		},
		"in a question without end": func(g *guest) {
			trickle := testpipe.Trickle(1000)
			_, _ = g.ask(http.MethodPost, "/v1/records", &trickle)
		},
	}
}

func TestLiveConnectionsEndWithTheirCertificates(t *testing.T) {
	const left = 47 * time.Second
	for name, do := range whatever() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, left, func(g *guest) {
				end := g.cred.Leaf().NotAfter.Add(identity.ClockSkew)
				if status, err := g.ask(http.MethodGet, "/v1/head", nil); status != http.StatusOK {
					t.Fatalf("in time: %d, %v", status, err)
				}
				time.Sleep(left - time.Second)
				do(g)
				g.endsWithin(connectionLimit, end)
			})
		})
	}
}

func TestLiveConnectionsEndWithARevocation(t *testing.T) {
	for name, do := range whatever() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, time.Hour, func(g *guest) {
				if status, err := g.ask(http.MethodGet, "/v1/head", nil); status != http.StatusOK {
					t.Fatalf("before: %d, %v", status, err)
				}
				time.Sleep(7 * time.Second)
				revoked := time.Now().Add(time.Second)
				time.AfterFunc(time.Second, g.revoke)
				do(g)
				g.endsWithin(connectionLimit, revoked)
			})
		})
	}
}

// Between two looks at all connections it is the request that is refused.
func TestEachRequestIsJudgedAnew(t *testing.T) {
	const left = 46 * time.Second // the last look is at 45 s, the next at 50 s
	inBubble(t, left, func(g *guest) {
		end := g.cred.Leaf().NotAfter.Add(identity.ClockSkew)
		for {
			status, err := g.ask(http.MethodGet, "/v1/head", nil)
			if err != nil {
				g.t.Fatal(err)
			}
			over := time.Now().After(end)
			if want := map[bool]int{false: http.StatusOK, true: http.StatusUnauthorized}[over]; status != want {
				g.t.Fatalf("%s after the end: %d, want %d", time.Since(end), status, want)
			}
			if over {
				break
			}
			time.Sleep(time.Second)
		}
		g.endsWithin(3*time.Second, end)
	})
	inBubble(t, time.Hour, func(g *guest) {
		if status, err := g.ask(http.MethodGet, "/v1/head", nil); status != http.StatusOK {
			g.t.Fatalf("before: %d, %v", status, err)
		}
		time.Sleep(6 * time.Second)
		g.revoke()
		revoked := time.Now()
		if status, err := g.ask(http.MethodGet, "/v1/head", nil); status != http.StatusForbidden {
			g.t.Errorf("after the revocation: %d, %v", status, err)
		}
		g.endsWithin(3*time.Second, revoked)
	})
}
