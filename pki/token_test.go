package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca/forgery"
	"github.com/neurons-me/netget/pki"
)

// forgerOf takes a good token apart.
func (w *world) forgerOf(t *testing.T, network string, r pki.TokenRequest) forgery.Token {
	t.Helper()
	r.Network = network
	f, err := forgery.Open(w.token(t, r).Token, readTokenKey(t, w.dir, network))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readTokenKey(t *testing.T, dir, network string) *ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "networks", network, "token.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

func TestTokensThatAreRefused(t *testing.T) {
	w := newWorld(t, "development", "production")
	good := w.forgerOf(t, "development", pki.TokenRequest{Service: "billing", Node: "b1"})
	now := w.clock.Now().Unix()
	claim := func(name string, value any) string {
		return good.With(func(c, _ map[string]any) { c[name] = value }).String()
	}
	without := func(name string) string {
		return good.With(func(c, _ map[string]any) { delete(c, name) }).String()
	}
	netget := func(name string, value any) string {
		return good.With(func(_, n map[string]any) { n[name] = value }).String()
	}
	headed := func(header string) string {
		return good.Sign(header, good.Payload())
	}
	forged := good
	forged.Key = newKey(t)
	valid := good.String()
	expired := good.With(func(c, _ map[string]any) { c["iat"], c["nbf"], c["exp"] = now-10, now-10, now })
	_, kid, _ := strings.Cut(good.Header, `"kid":"`)
	kid, _, _ = strings.Cut(kid, `"`)
	for name, tt := range map[string]struct {
		token  string
		status int
		code   identity.Code
	}{
		"garbage":                  {"garbage", 400, identity.Malformed},
		"empty":                    {"", 400, identity.Malformed},
		"three empty parts":        {"..", 400, identity.BadHeader},
		"padding":                  {valid + "=", 400, identity.Malformed},
		"line break":               {valid + "\n", 400, identity.Malformed},
		"too long":                 {strings.Repeat("a", 4097), 413, identity.Limits},
		"dots":                     {strings.Repeat(".", 4000), 400, identity.Malformed},
		"of another network":       {w.forgerOf(t, "production", pki.TokenRequest{Service: "billing", Node: "b1"}).String(), 403, identity.WrongNetwork},
		"alg none":                 {headed(`{"alg":"none","kid":"` + kid + `","typ":"JWT"}`), 400, identity.BadHeader},
		"alg HS256":                {headed(`{"alg":"HS256","kid":"` + kid + `","typ":"JWT"}`), 400, identity.BadHeader},
		"extra header":             {headed(`{"alg":"ES256","crit":[],"kid":"` + kid + `","typ":"JWT"}`), 400, identity.BadHeader},
		"another typ":              {headed(`{"alg":"ES256","kid":"` + kid + `","typ":"netget-record+jws"}`), 400, identity.BadHeader},
		"unknown key":              {headed(`{"alg":"ES256","kid":"x","typ":"JWT"}`), 403, identity.WrongNetwork},
		"forged signature":         {forged.String(), 401, identity.BadSignature},
		"no signature":             {valid[:strings.LastIndex(valid, ".")+1], 401, identity.BadSignature},
		"claims are no object":     {good.Sign(good.Header, `[]`), 400, identity.Malformed},
		"no exp":                   {without("exp"), 400, identity.Malformed},
		"no iat":                   {without("iat"), 400, identity.Malformed},
		"no nbf":                   {without("nbf"), 400, identity.Malformed},
		"no jti":                   {without("jti"), 400, identity.Malformed},
		"long jti":                 {claim("jti", strings.Repeat("x", 65)), 400, identity.Malformed},
		"expired":                  {expired.String(), 400, identity.BadTime},
		"ended before it began":    {claim("exp", now-1), 400, identity.BadTime},
		"lives too long":           {claim("exp", now+86401), 400, identity.BadTime},
		"from the future":          {claim("nbf", now+61), 400, identity.BadTime},
		"made in the future":       {claim("iat", now+61), 400, identity.BadTime},
		"other audience":           {claim("aud", "https://127.0.0.1:1"), 403, identity.Denied},
		"audience without port":    {claim("aud", "https://127.0.0.1"), 403, identity.Denied},
		"legacy audience":          {claim("aud", "https://"+w.addr+"/1.0/sign"), 403, identity.Denied},
		"several audiences":        {claim("aud", []string{"https://" + w.addr, "x"}), 400, identity.Malformed},
		"other issuer":             {claim("iss", "production.netget.internal"), 403, identity.WrongNetwork},
		"other root":               {claim("sha", strings.Repeat("0", 64)), 403, identity.WrongNetwork},
		"other subject":            {claim("sub", "b2"), 403, identity.Denied},
		"more names":               {claim("sans", []string{"spiffe://" + td + "/billing/b1", "example.org"}), 403, identity.Denied},
		"other network":            {netget("network", "production"), 403, identity.WrongNetwork},
		"other domain":             {netget("domain", "example.org"), 403, identity.WrongNetwork},
		"other service":            {netget("service", "shop"), 403, identity.Denied},
		"other node":               {netget("node", "b2"), 403, identity.Denied},
		"other profile":            {netget("profile", "operator"), 403, identity.Denied},
		"upper case":               {netget("service", "Billing"), 400, identity.Malformed},
		"reserved service":         {netget("service", "ca"), 400, identity.Malformed},
		"addresses of no registry": {netget("addresses", []string{"https://h:1"}), 400, identity.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: tt.token, CSR: plainCSR(t)})
			wantRefusal(t, got, tt.status, tt.code)
			wantTokenUsed(t, got, false)
		})
	}
	// None of it was stored, and none of it used up the good token's id.
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: good.String(), CSR: plainCSR(t)})
	if got.status != http.StatusCreated {
		t.Errorf("the good token: %d %s", got.status, got.body)
	}
	if n := w.countNodes(t); n != 1 {
		t.Errorf("%d certificates of nodes, want 1", n)
	}
}

func wantTokenUsed(t *testing.T, got reply, want bool) {
	t.Helper()
	var p struct {
		TokenUsed *bool `json:"token_used"`
		Detail    string
	}
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.TokenUsed == nil || *p.TokenUsed != want || p.Detail == "" {
		t.Errorf("token_used of %s, want %v", got.body, want)
	}
}

// countNodes counts the certificates that nodes of development got.
func (w *world) countNodes(t *testing.T) int {
	t.Helper()
	list, err := w.Certificates(t.Context(), "development")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range list {
		if c.Use != "ca-server" {
			n++
		}
	}
	return n
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t, "development")
	good := w.forgerOf(t, "development", pki.TokenRequest{Service: "billing", Node: "b1"})
	key := newKey(t)
	csr := func(template x509.CertificateRequest) []byte { return csrFor(t, key, template) }
	for name, tt := range map[string]struct {
		csr    []byte
		status int
		code   identity.Code
	}{
		"none":                   {nil, 400, identity.Malformed},
		"garbage":                {[]byte("garbage"), 400, identity.Malformed},
		"too long":               {make([]byte, 8<<10+1), 413, identity.Limits},
		"wrong signature":        {forgery.WronglySigned(), 401, identity.BadSignature},
		"other common name":      {csr(x509.CertificateRequest{Subject: pkix.Name{CommonName: "b2"}}), 403, identity.Denied},
		"other DNS name":         {csr(x509.CertificateRequest{DNSNames: []string{"example.org"}}), 403, identity.Denied},
		"sibling's name":         {csr(x509.CertificateRequest{DNSNames: []string{"b2.billing." + td}}), 403, identity.Denied},
		"address":                {csr(x509.CertificateRequest{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}), 403, identity.Denied},
		"other identity":         {csr(x509.CertificateRequest{URIs: uris(t, "spiffe://"+td+"/billing/b2")}), 403, identity.Denied},
		"two identities":         {csr(x509.CertificateRequest{URIs: uris(t, "spiffe://"+td+"/billing/b1", "spiffe://"+td+"/billing/b2")}), 403, identity.Denied},
		"e-mail":                 {csr(x509.CertificateRequest{EmailAddresses: []string{"a@" + td}}), 403, identity.Denied},
		"RSA-2048":               {forgery.RSA(2048), 401, identity.BadCert},
		"RSA-16384":              {forgery.HugeRSA(), 401, identity.BadCert},
		"P-384":                  {forgery.P384(), 401, identity.BadCert},
		"Ed25519 identity point": {forgery.Ed25519(append([]byte{1}, make([]byte, 31)...)), 401, identity.BadCert},
		"Ed25519 not canonical":  {forgery.Ed25519(append(bytes.Repeat([]byte{0xff}, 31), 0x7f)), 401, identity.BadCert},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: good.String(), CSR: tt.csr})
			wantRefusal(t, got, tt.status, tt.code)
			wantTokenUsed(t, got, false)
		})
	}
	// The token is still good: the order is token, request, then use.
	names := x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "b1"}, DNSNames: []string{"b1.billing." + td}, URIs: uris(t, "spiffe://"+td+"/billing/b1"),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}},
	}
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: good.String(), CSR: csrFor(t, key, names)})
	if got.status != http.StatusCreated {
		t.Fatalf("own names: %d %s", got.status, got.body)
	}
	var m member
	if err := json.Unmarshal(got.body, &m.Enrolment); err != nil {
		t.Fatal(err)
	}
	if m.leaf(t).IsCA {
		t.Error("an extension of the request reached the certificate")
	}
}

func TestSecondRequestIsForRegistriesWithAnotherKey(t *testing.T) {
	w := newWorld(t, "development")
	node := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"})
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: node.Token, CSR: plainCSR(t), SigningCSR: plainCSR(t)})
	wantRefusal(t, got, 403, identity.Denied)

	registry := w.token(t, pki.TokenRequest{Service: "registry", Node: "r1"})
	csr := plainCSR(t)
	got = w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: registry.Token, CSR: csr, SigningCSR: csr})
	wantRefusal(t, got, 403, identity.Denied)
}

func TestTokenBoundToOneRequest(t *testing.T) {
	w := newWorld(t, "development")
	mine, other := plainCSR(t), plainCSR(t)
	token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1", Request: mine})
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: token.Token, CSR: other})
	wantRefusal(t, got, 403, identity.Denied)
	wantTokenUsed(t, got, false)
	got = w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: token.Token, CSR: mine})
	if got.status != http.StatusCreated {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTokenIsUsedOnceAndSaysSo(t *testing.T) {
	w := newWorld(t, "development")
	token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"}).Token
	c := w.caller(t, "development")
	if got := c.do(t, "POST", "/v1/enroll", enrolment{Token: token, CSR: plainCSR(t)}); got.status != http.StatusCreated {
		t.Fatalf("first use: %d %s", got.status, got.body)
	}
	got := c.do(t, "POST", "/v1/enroll", enrolment{Token: token, CSR: plainCSR(t)})
	wantRefusal(t, got, 403, identity.Denied)
	wantTokenUsed(t, got, true)
	mustContain(t, w.log.String(), "event=token-reuse")
	if strings.Contains(w.log.String(), token) {
		t.Error("the log holds the token")
	}
}

func TestMintRefuses(t *testing.T) {
	w := newWorld(t, "development", "production")
	for name, tt := range map[string]struct {
		request pki.TokenRequest
		code    identity.Code
	}{
		"no network":        {pki.TokenRequest{Service: "billing"}, identity.Malformed},
		"unknown network":   {pki.TokenRequest{Network: "staging", Service: "billing"}, identity.NotFound},
		"no service":        {pki.TokenRequest{Network: "development"}, identity.Malformed},
		"reserved service":  {pki.TokenRequest{Network: "development", Service: "service"}, identity.Malformed},
		"bad node":          {pki.TokenRequest{Network: "development", Service: "billing", Node: "../x"}, identity.Malformed},
		"over a day":        {pki.TokenRequest{Network: "development", Service: "billing", TTL: 24*time.Hour + 1}, identity.Limits},
		"negative life":     {pki.TokenRequest{Network: "development", Service: "billing", TTL: -1}, identity.Limits},
		"service address":   {pki.TokenRequest{Network: "development", Service: "billing", Addresses: []string{"https://h:1"}}, identity.Malformed},
		"address with path": {pki.TokenRequest{Network: "development", Service: "registry", Node: "r", Addresses: []string{"https://h:1/x"}}, identity.Malformed},
		"plain http":        {pki.TokenRequest{Network: "development", Service: "registry", Node: "r", Addresses: []string{"http://h:1"}}, identity.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Token(t.Context(), tt.request)
			wantCode(t, err, tt.code)
		})
	}
	token := w.token(t, pki.TokenRequest{Network: "development", Service: "billing"})
	if len(token.Node) != len("billing-12345678") || token.ExpiresAt.Sub(w.clock.Now()) != 10*time.Minute || len(token.Token) > 4096 {
		t.Errorf("token = %+v", token)
	}
}

func uris(t *testing.T, texts ...string) []*url.URL {
	t.Helper()
	var list []*url.URL
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, u)
	}
	return list
}
