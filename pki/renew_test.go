package pki_test

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testca/forgery"
	"github.com/neurons-me/netget/pki"
)

func readPKCS8(t *testing.T, path string) crypto.Signer {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

func parsePEM(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM: %q", text)
	}
	return parse(t, block.Bytes)
}

// renew asks for a new certificate with that of m.
func (w *world) renew(t *testing.T, m member) (member, reply) {
	t.Helper()
	next := member{key: newKey(t), signingKey: newKey(t)}
	body := enrolment{CSR: csrFor(t, next.key, x509.CertificateRequest{})}
	if m.SigningCertificate != nil {
		body.SigningCSR = csrFor(t, next.signingKey, x509.CertificateRequest{})
	}
	got := w.caller(t, "development", m.tls()).do(t, "POST", "/v1/renew", body)
	if got.status == http.StatusCreated {
		if err := json.Unmarshal(got.body, &next.Enrolment); err != nil {
			t.Fatal(err)
		}
	}
	return next, got
}

func TestRenewalKeepsTheIdentityUnderANewKey(t *testing.T) {
	w := newWorld(t, "development")
	for _, service := range []string{"billing", "registry", "client", "operator"} {
		t.Run(service, func(t *testing.T) {
			m := w.enroll(t, pki.TokenRequest{Network: "development", Service: service, Node: "n1"})
			w.clock.Advance(12 * time.Hour)
			next, got := w.renew(t, m)
			if got.status != http.StatusCreated {
				t.Fatalf("%d %s", got.status, got.body)
			}
			before, after := m.leaf(t), next.leaf(t)
			if after.URIs[0].String() != before.URIs[0].String() || after.SerialNumber.Cmp(before.SerialNumber) == 0 {
				t.Errorf("renewed %s #%x to %s #%x", before.URIs, before.SerialNumber, after.URIs, after.SerialNumber)
			}
			if life := after.NotAfter.Sub(w.clock.Now()); life != 24*time.Hour {
				t.Errorf("lives %s from now", life)
			}
			if (next.SigningCertificate != nil) != (service == "registry") {
				t.Errorf("signing certificate: %v", next.SigningCertificate != nil)
			}
		})
	}
}

func TestRenewalsThatAreRefused(t *testing.T) {
	w := newWorld(t, "development")
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	for name, tt := range map[string]struct {
		caller *caller
		body   enrolment
		status int
		code   identity.Code
	}{
		"without certificate": {w.caller(t, "development"), enrolment{CSR: plainCSR(t)}, 401, identity.BadCert},
		"for the same key":    {w.caller(t, "development", m.tls()), enrolment{CSR: csrFor(t, m.key, x509.CertificateRequest{})}, 403, identity.Denied},
		"for other names": {w.caller(t, "development", m.tls()), enrolment{
			CSR: csrFor(t, newKey(t), x509.CertificateRequest{DNSNames: []string{"b2.billing." + td}}),
		}, 403, identity.Denied},
		"to sign heads":  {w.caller(t, "development", m.tls()), enrolment{CSR: plainCSR(t), SigningCSR: plainCSR(t)}, 403, identity.Denied},
		"with a bad key": {w.caller(t, "development", m.tls()), enrolment{CSR: forgery.P384()}, 401, identity.BadCert},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, tt.caller.do(t, "POST", "/v1/renew", tt.body), tt.status, tt.code)
		})
	}
	if n := w.countNodes(t); n != 1 {
		t.Errorf("%d certificates, want 1", n)
	}
}

func TestSigningCertificateDoesNotSpeakTLS(t *testing.T) {
	w := newWorld(t, "development")
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1"})
	m.Certificate, m.key = m.SigningCertificate, m.signingKey
	if _, err := w.caller(t, "development", m.tls()).try(t.Context(), "POST", "/v1/renew", enrolment{CSR: plainCSR(t)}); err == nil {
		t.Error("the handshake with a signing certificate succeeded")
	}
}

// An answer can be lost: while a certificate is in time it may be renewed again.
func TestRenewalMayBeRepeatedWhileInTime(t *testing.T) {
	w := newWorld(t, "development")
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	for range 2 {
		if _, got := w.renew(t, m); got.status != http.StatusCreated {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	w.clock.Advance(25 * time.Hour)
	_, got := w.renew(t, m)
	wantRefusal(t, got, 403, identity.Denied)
}

func TestRenewalAfterTheEnd(t *testing.T) {
	w := newWorld(t, "development")
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	other := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b2"})
	w.clock.Advance(24*time.Hour + 7*24*time.Hour)
	// For anything else the certificate is over.
	wantRefusal(t, w.caller(t, "development", m.tls()).do(t, "GET", "/v1/bundle", nil), 401, identity.BadCert)
	if _, got := w.renew(t, m); got.status != http.StatusCreated {
		t.Fatalf("at the end of the grace: %d %s", got.status, got.body)
	}
	_, got := w.renew(t, m)
	wantRefusal(t, got, 403, identity.Denied) // once only
	w.clock.Advance(time.Second)
	_, got = w.renew(t, other)
	wantRefusal(t, got, 401, identity.BadCert)
}

func TestNoGrace(t *testing.T) {
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) { c.RenewGrace = 0 })
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	w.clock.Advance(24*time.Hour + time.Minute)
	_, got := w.renew(t, m)
	if got.status != http.StatusCreated {
		t.Errorf("within the clocks' difference: %d %s", got.status, got.body)
	}
	w.clock.Advance(time.Second)
	_, got = w.renew(t, m)
	wantRefusal(t, got, 401, identity.BadCert)
}

func TestRevokedCertificateIsNotRenewed(t *testing.T) {
	dir, c := initDir(t, "development"), newClock()
	var m member
	t.Run("enrol", func(t *testing.T) {
		m = serveWorld(t, dir, c, nil).enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	})
	db := openDatabase(t, dir)
	err := db.Write(t.Context(), func(tx *database.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE certificates SET revoked_at = 1, revoked_reason = 'test' WHERE node = 'b1'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	w := serveWorld(t, dir, c, nil)
	_, got := w.renew(t, m)
	wantRefusal(t, got, 403, identity.Revoked)
	list, err := w.Certificates(t.Context(), "development")
	if err != nil {
		t.Fatal(err)
	}
	last := list[len(list)-1]
	for _, cert := range list {
		if cert.Node == "b1" {
			last = cert
		}
	}
	if last.RevokedAt == nil || last.RevokedReason != "test" {
		t.Errorf("listed as %+v", last)
	}
}
