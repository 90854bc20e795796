package command_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/testca"
)

// enrolled writes an identity whose certificate ends after left. It knows no
// authority and no registry.
func enrolled(t *testing.T, left time.Duration, edit func(*testca.Authority, *identity.Identity)) (dir string) {
	t.Helper()
	ca := testca.New("development", "status", time.Now())
	i := ca.Identity(ca.ID("svc", "n-1"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.Credential = ca.IssueKey(i.ID(), key, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-50*time.Minute), time.Now().Add(left)
	})
	if edit != nil {
		edit(ca, i)
	}
	dir = t.TempDir()
	if err := identity.NewFolder(dir).Create(i, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStatusTellsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		dir  string
		exit int
		want string // on stdout
		err  string
	}{
		"a certificate that has ended": {enrolled(t, -time.Second, nil), cli.ExitDenied, `"state": "expired"`, "is expired"},
		"a certificate that was revoked": {enrolled(t, time.Hour, func(ca *testca.Authority, i *identity.Identity) {
			i.Bundle = ca.Bundle(ca.CRL(1, i.Credential.Leaf()))
		}), cli.ExitDenied, `"state": "revoked"`, "is revoked"},
		"a certificate past its half, and no registry": {enrolled(t, 10*time.Minute, nil), cli.ExitUnavailable, `"state": "renewal-due"`, "no registry is known"},
	} {
		t.Run(name, func(t *testing.T) {
			exit, stdout, stderr := run(t, "status", "-o", "json", "--identity", c.dir)
			if exit != c.exit || !strings.Contains(stdout, c.want) || !strings.Contains(stderr, c.err) {
				t.Errorf("got exit %d, stdout %s, stderr %s; want exit %d, %s and %q", exit, stdout, stderr, c.exit, c.want, c.err)
			}
		})
	}
}

func TestExpiredIdentityCannotRegister(t *testing.T) {
	exit, stdout, stderr := run(t, "register", "--address", "10.0.0.7:1", "--identity", enrolled(t, -time.Second, nil), "--registry", "https://127.0.0.1:1")
	if exit != cli.ExitDenied || stdout != "" || !strings.Contains(stderr, "enrol") {
		t.Errorf("got exit %d, stdout %q, stderr %q; want exit %d and what to do", exit, stdout, stderr, cli.ExitDenied)
	}
}
