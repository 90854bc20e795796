package attack_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca/forgery"
)

func attackTokens(t *testing.T, g *group) {
	t.Helper()
	c := newCourt(t)
	good := c.forger(t, "development")
	before, store := c.holdings(t), filepath.Join(c.home, "ca", "ca.db")
	for _, row := range badTokens(c.forger(t, "production"), good) {
		g.try(t, row.name, row.want, func(t *testing.T) outcome {
			t.Helper()
			defer unchangedStore(t, &before.Store, store)
			return c.enroll(t, row.token, forgery.Request(ecKey(t), x509.CertificateRequest{})).outcome()
		})
	}
	for _, row := range badRequests(t) {
		g.try(t, row.name, row.want, func(t *testing.T) outcome {
			t.Helper()
			defer unchangedStore(t, &before.Store, store)
			return c.enroll(t, good.String(), row.csr).outcome() // within the caller's patience
		})
	}
	c.unchanged(t, before)
	g.try(t, "the good token after all this", "201", func(t *testing.T) outcome {
		t.Helper()
		return c.enroll(t, good.String(), forgery.Request(ecKey(t), x509.CertificateRequest{})).outcome()
	})
	attackUsedTokens(t, g, c)
	c.process.stop(t)
}

type tokenRow struct {
	name  string
	token string
	want  outcome
}

// badTokens are signed with the network's own key where not said otherwise.
func badTokens(elsewhere, good forgery.Token) []tokenRow {
	now := time.Now().Unix()
	claim := func(name string, value any) string {
		return good.With(func(c, _ map[string]any) { c[name] = value }).String()
	}
	netget := func(name string, value any) string {
		return good.With(func(_, n map[string]any) { n[name] = value }).String()
	}
	without := func(name string) string {
		return good.With(func(c, _ map[string]any) { delete(c, name) }).String()
	}
	forged := good
	forged.Key = elsewhere.Key
	none := strings.Replace(good.Header, "ES256", "none", 1)
	return []tokenRow{
		{"a token of another network", elsewhere.String(), answered(403, identity.WrongNetwork)},
		{"a token that names another network", netget("network", "production"), answered(403, identity.WrongNetwork)},
		{"a token for another service", netget("service", "shop"), answered(403, identity.Denied)},
		{"a token for another node", netget("node", "b2"), answered(403, identity.Denied)},
		{"a token for another profile", netget("profile", "operator"), answered(403, identity.Denied)},
		{"a token for a registry by profile alone", netget("profile", "registry"), answered(403, identity.Denied)},
		{"a token with another subject", claim("sub", "b2"), answered(403, identity.Denied)},
		{"a token with more names", claim("sans", []string{"spiffe://development.netget.internal/billing/b1", "example.org"}), answered(403, identity.Denied)},
		{"a token for another audience", claim("aud", "https://127.0.0.1:1"), answered(403, identity.Denied)},
		{"a token for the audience without its port", claim("aud", "https://127.0.0.1"), answered(403, identity.Denied)},
		{"a token for two audiences", claim("aud", []string{"https://127.0.0.1:1", "x"}), answered(400, identity.Malformed)},
		{"a token of another root", claim("sha", strings.Repeat("0", 64)), answered(403, identity.WrongNetwork)},
		{"a token without exp", without("exp"), answered(400, identity.Malformed)},
		{"a token without jti", without("jti"), answered(400, identity.Malformed)},
		{"an expired token", good.With(func(c, _ map[string]any) { c["iat"], c["nbf"], c["exp"] = now-600, now-600, now-1 }).String(), answered(400, identity.BadTime)},
		{"a token from the future", claim("nbf", now+120), answered(400, identity.BadTime)},
		{"a token that lives for more than a day", claim("exp", now+86_500), answered(400, identity.BadTime)},
		{"a forged signature", forged.String(), answered(401, identity.BadSignature)},
		{"a token without signature", good.String()[:strings.LastIndex(good.String(), ".")+1], answered(401, identity.BadSignature)},
		{"a token with alg none", good.Sign(none, good.Payload()), answered(400, identity.BadHeader)},
		{"a token of upper-case names", netget("service", "Billing"), answered(400, identity.Malformed)},
		{"a token for a path upwards", netget("node", "../x"), answered(400, identity.Malformed)},
		{"garbage for a token", "garbage", answered(400, identity.Malformed)},
		{"a token of 5,000 bytes", strings.Repeat("a", 5000), answered(413, identity.Limits)},
	}
}

type requestRow struct {
	name string
	csr  []byte
	want outcome
}

// badRequests come with a good token, which stays good.
func badRequests(t *testing.T) []requestRow {
	t.Helper()
	const td = "development.netget.internal"
	asking := func(template x509.CertificateRequest) []byte { return forgery.Request(ecKey(t), template) }
	other, err := url.Parse("spiffe://" + td + "/billing/b2")
	if err != nil {
		t.Fatal(err)
	}
	return []requestRow{
		{"a request in another node's name", asking(x509.CertificateRequest{Subject: pkix.Name{CommonName: "b2"}}), answered(403, identity.Denied)},
		{"a request with a foreign DNS name", asking(x509.CertificateRequest{DNSNames: []string{"example.org"}}), answered(403, identity.Denied)},
		{"a request with another node's DNS name", asking(x509.CertificateRequest{DNSNames: []string{"b2.billing." + td}}), answered(403, identity.Denied)},
		{"a request for another identity", asking(x509.CertificateRequest{URIs: []*url.URL{other}}), answered(403, identity.Denied)},
		{"a request with an e-mail name", asking(x509.CertificateRequest{EmailAddresses: []string{"a@" + td}}), answered(403, identity.Denied)},
		{"a request of an RSA key of 1,024 bits", forgery.WeakRSA(), answered(401, identity.BadCert)},
		{"a request of an RSA key of 2,048 bits", forgery.RSA(2048), answered(401, identity.BadCert)},
		{"a request of an RSA key of 16,384 bits", forgery.HugeRSA(), answered(401, identity.BadCert)},
		{"a request of a key on P-384", forgery.P384(), answered(401, identity.BadCert)},
		{"a request of an Ed25519 key of small order", forgery.Ed25519(append([]byte{1}, make([]byte, 31)...)), answered(401, identity.BadCert)},
		{"a request of an Ed25519 key that is not canonical", forgery.Ed25519(append(bytes.Repeat([]byte{0xff}, 31), 0x7f)), answered(401, identity.BadCert)},
		{"a request that another key has signed", forgery.WronglySigned(), answered(401, identity.BadSignature)},
		{"no request", nil, answered(400, identity.Malformed)},
		{"a request of 9,000 bytes", make([]byte, 9000), answered(413, identity.Limits)},
	}
}

// attackUsedTokens uses tokens more than once.
func attackUsedTokens(t *testing.T, g *group, c *court) {
	t.Helper()
	token := c.token(t, "development", "billing", "b7")
	g.try(t, "a token used twice", "201, then 403 denied", func(t *testing.T) outcome {
		t.Helper()
		first := c.enroll(t, token, forgery.Request(ecKey(t), x509.CertificateRequest{}))
		before := c.holdings(t)
		second := c.enroll(t, token, forgery.Request(ecKey(t), x509.CertificateRequest{}))
		c.unchanged(t, before)
		if !bytes.Contains(second.body, []byte(`"token_used":true`)) {
			t.Errorf("the second is not told that the token was used: %s", second.body)
		}
		return first.outcome() + ", then " + second.outcome()
	})
	const atOnce = 40
	g.try(t, "a token used 40 times at once", "1 × 201, 39 × 403 denied", func(t *testing.T) outcome {
		t.Helper()
		token := c.token(t, "development", "billing", "b8")
		requests := make([][]byte, atOnce)
		for i := range requests {
			requests[i] = forgery.Request(ecKey(t), x509.CertificateRequest{})
		}
		got := make([]outcome, atOnce)
		var all sync.WaitGroup
		for i, csr := range requests {
			all.Go(func() { got[i] = c.enroll(t, token, csr).outcome() })
		}
		all.Wait()
		if issued := strings.Count(c.holdings(t).Listed, `/billing/b8"`); issued != 1 {
			t.Errorf("%d certificates of b8 are listed", issued)
		}
		slices.Sort(got)
		counts := map[outcome]int{}
		for _, o := range got {
			counts[o]++
		}
		var text []string
		for _, o := range slices.Compact(got) {
			text = append(text, fmt.Sprintf("%d × %s", counts[o], o))
		}
		return outcome(strings.Join(text, ", "))
	})
}

func tokenFacts() map[string][]string {
	return map[string][]string{
		"used twice":        {"a token used twice", "a token used 40 times at once"},
		"another network":   {"a token of another network", "a token that names another network"},
		"another service":   {"a token for another service"},
		"another node":      {"a token for another node"},
		"another profile":   {"a token for another profile"},
		"another audience":  {"a token for another audience"},
		"no exp":            {"a token without exp"},
		"expired":           {"an expired token"},
		"forged":            {"a forged signature"},
		"other names":       {"a request in another node's name", "a request with a foreign DNS name", "a request for another identity"},
		"a weak key":        {"a request of an RSA key of 1,024 bits"},
		"a huge key":        {"a request of an RSA key of 16,384 bits"},
		"a wrong signature": {"a request that another key has signed"},
	}
}
