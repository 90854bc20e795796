package attack_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca/forgery"
)

// A court is netget-ca serve with two networks, with its keys plain on disk.
type court struct {
	home    string
	process *program
	http    *http.Client // of strangers, at the network development
}

// newCourt starts an authority.
func newCourt(t *testing.T) *court {
	t.Helper()
	c := &court{home: filepath.Join(t.TempDir(), "home")}
	code, _, log := run(t, 0, "netget-ca", "init", "--home", c.home, "--no-passphrase", "--network", "development", "--network", "production")
	if code != 0 {
		t.Fatalf("init: exit %d\n%s", code, log)
	}
	c.process = start(t, nil, "netget-ca", "serve", "-o", "json", "--home", c.home, "--address", "127.0.0.1:0", "--ops-address", "off")
	transport := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "ca.development.netget.internal", InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{Transport: transport, Timeout: patience}
	return c
}

// token returns a token that the authority has made.
func (c *court) token(t *testing.T, network, service, node string) string {
	t.Helper()
	code, out, log := run(t, 0, "netget-ca", "token", service, node, "--network", network, "--home", c.home)
	if code != 0 {
		t.Fatalf("token: exit %d\n%s", code, log)
	}
	return strings.TrimSpace(string(out))
}

// forger returns a good token of a network with the key that signed it.
func (c *court) forger(t *testing.T, network string) forgery.Token {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.home, "ca", "networks", network, "token.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	f, err := forgery.Open(c.token(t, network, "billing", "b1"), key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// enroll sends a token with a request, as a machine that joins.
func (c *court) enroll(t *testing.T, token string, csr []byte) reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{"token": token, "csr": csr})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.process.address+"/v1/enroll", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		t.Error(err)
		return reply{}
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, header: res.Header}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		t.Error(err)
	}
	if res.Header.Get("Content-Type") == discovery.ProblemType {
		r.class = identity.ParseProblem(r.status, r.header, r.body).Code
	}
	return r
}

// holdings are all that an authority keeps: what it lists, its store, its files.
type holdings struct {
	Listed string
	Store  dump
	Files  []string
}

func (c *court) holdings(t *testing.T) holdings {
	t.Helper()
	code, out, log := run(t, 0, "netget-ca", "certs", "list", "-o", "json", "--home", c.home)
	if code != 0 {
		t.Fatalf("certs list: exit %d\n%s", code, log)
	}
	h := holdings{Listed: string(out), Store: dumpOf(t, filepath.Join(c.home, "ca", "ca.db"))}
	err := filepath.WalkDir(c.home, func(path string, d os.DirEntry, err error) error {
		if err == nil && !strings.HasPrefix(d.Name(), "ca.db") {
			h.Files = append(h.Files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (c *court) unchanged(t *testing.T, before holdings) {
	t.Helper()
	if d := cmp.Diff(before, c.holdings(t)); d != "" {
		t.Errorf("something refused changed the authority (before -, after +)\n%.4000s", d)
	}
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
