package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"

	"github.com/neurons-me/netget/identity"
)

const maxRequestBytes = 8 << 10

// checkRequest parses a certificate signing request (PKCS #10) for the holder
// of p. The key is judged before any arithmetic is done with it. The request
// may name what the certificate will name, or less; a name beyond that is
// refused with [identity.Denied], because whoever asks for it expects it.
func checkRequest(der []byte, p profile) (*x509.CertificateRequest, error) {
	if len(der) > maxRequestBytes {
		return nil, identity.Refuse(identity.Limits, "a certificate request of %d bytes, %d at most: %w", len(der), maxRequestBytes, errTooLarge)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, identity.Refuse(identity.Malformed, "parsing the certificate request: %w", err)
	}
	if err := identity.CheckKey(request.PublicKey); err != nil {
		return nil, err
	}
	if err := checkEncoding(request); err != nil {
		return nil, err
	}
	switch request.SignatureAlgorithm { //nolint:exhaustive // the two that fit the keys
	case x509.ECDSAWithSHA256, x509.PureEd25519:
	default:
		return nil, identity.Refuse(identity.BadCert, "certificate requests are signed with SHA-256 or Ed25519, not %s", request.SignatureAlgorithm)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, identity.Refuse(identity.BadSignature, "the certificate request's own signature is wrong: %w", err)
	}
	return request, checkRequestNames(request, p)
}

// checkEncoding requires the one encoding of a key (RFC 5480, RFC 8410): the
// parser of crypto/x509 passes over what is added to it, and a key that was
// certified before would look like another.
func checkEncoding(request *x509.CertificateRequest) error {
	canonical, err := x509.MarshalPKIXPublicKey(request.PublicKey)
	if err != nil {
		return identity.Refuse(identity.BadCert, "encoding the request's key: %w", err)
	}
	if !bytes.Equal(canonical, request.RawSubjectPublicKeyInfo) {
		return identity.Refuse(identity.BadCert, "the request's key is not in its one encoding")
	}
	return nil
}

func checkRequestNames(request *x509.CertificateRequest, p profile) error {
	if cn := request.Subject.CommonName; cn != "" && cn != p.id.Label() && cn != p.id.String() {
		return identity.Refuse(identity.Denied, "the request asks for the common name %q", clip(cn))
	}
	for _, name := range request.DNSNames {
		if !slices.Contains(p.dns, name) {
			return identity.Refuse(identity.Denied, "the request asks for the DNS name %q", clip(name))
		}
	}
	for _, ip := range request.IPAddresses {
		if !slices.Contains(p.ips, ip.String()) {
			return identity.Refuse(identity.Denied, "the request asks for the address %s", ip)
		}
	}
	for _, uri := range request.URIs {
		if !slices.Contains(p.uris, uri.String()) {
			return identity.Refuse(identity.Denied, "the request asks for the name %q", clip(uri.String()))
		}
	}
	if len(request.EmailAddresses) != 0 {
		return identity.Refuse(identity.Denied, "the request asks for an e-mail name")
	}
	return nil
}

// requestHash is the x5rt#S256 of a request.
func requestHash(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func spkiOf(request *x509.CertificateRequest) identity.Hash {
	return sha256.Sum256(request.RawSubjectPublicKeyInfo)
}

// sameKey reports whether two requests are for one key.
func sameKey(a, b *x509.CertificateRequest) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// clip bounds what an error repeats of somebody else's text.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
