package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/smallstep/certificates/authority"
	"github.com/smallstep/certificates/authority/config"
	"github.com/smallstep/certificates/authority/provisioner"
	"go.step.sm/crypto/x509util"

	"github.com/neurons-me/netget/identity"
)

// leafTemplate is filled from a profile alone. smallstep hands templates the
// certificate request too; this one does not look at it.
const leafTemplate = `{
	"subject": {},
	"uris": {{ toJson .uris }},
	"dnsNames": {{ toJson .dns }},
	"ipAddresses": {{ toJson .ips }},
	"keyUsage": ["digitalSignature"],
	"extKeyUsage": {{ toJson .usage }},
	"unknownExtKeyUsage": {{ toJson .registry }}
}`

// An issuer is one of a network's two issuers, held by a smallstep authority
// of its own: authorities share neither roots nor constraints nor tokens.
type issuer struct {
	name      string // "node" or "registry"
	cert      *x509.Certificate
	hash      identity.Hash // of its public key
	authority *authority.Authority
	joiner    *joinProvisioner
}

// newIssuer makes the authority that signs with one issuer's key. Its inventory
// is db: smallstep is never left to choose a store by itself.
func newIssuer(name string, root, cert *x509.Certificate, key crypto.Signer, tokens *tokenKey, db authDB) (*issuer, error) {
	joiner := newJoinProvisioner(tokens)
	life := provisioner.Duration{Duration: signingLife}
	never := false
	auth, err := authority.NewEmbedded(
		authority.WithX509RootCerts(root),
		authority.WithX509Signer(cert, key),
		authority.WithDatabase(db),
		authority.WithQuietInit(),
		authority.WithConfig(&config.Config{
			DNSNames: []string{tokens.td.CAName()},
			AuthorityConfig: &config.AuthConfig{
				AuthorityID:          tokens.td.String() + "/" + name,
				Provisioners:         provisioner.List{joiner},
				DisableIssuedAtCheck: true, // used tokens are stored, they outlive a restart
				Backdate:             &provisioner.Duration{Duration: backdate},
				Claims: &provisioner.Claims{
					MinTLSDur: &life, DefaultTLSDur: &life, MaxTLSDur: &life,
					EnableSSHCA: &never, AllowRenewalAfterExpiry: &never,
				},
			},
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("starting the %s issuer of %s: %w", name, tokens.td, err)
	}
	return &issuer{name: name, cert: cert, hash: identity.SPKIHash(cert), authority: auth, joiner: joiner}, nil
}

// validity returns the first and last second of a certificate made at now. No
// certificate outlives its issuer.
func (i *issuer) validity(p profile, now time.Time) (notBefore, notAfter time.Time) {
	now = now.UTC().Truncate(time.Second)
	notAfter = now.Add(p.life)
	if i.cert.NotAfter.Before(notAfter) {
		notAfter = i.cert.NotAfter
	}
	return now.Add(-backdate), notAfter
}

// sign makes the certificate of a profile for the key of a request that was
// checked, under a serial that was stored before.
func (i *issuer) sign(ctx context.Context, request *x509.CertificateRequest, p profile, row certificateRow) (*x509.Certificate, error) {
	chain, err := i.authority.SignWithContext(ctx, request, provisioner.SignOptions{},
		i.joiner, templateOf(p), fixedFields(row))
	if err != nil {
		return nil, fmt.Errorf("signing for %s: %w", row.subject(), err)
	}
	return chain[0], nil
}

// profileTemplate implements provisioner.CertificateOptions.
type profileTemplate struct{ profile }

func templateOf(p profile) profileTemplate { return profileTemplate{p} }

// Options returns the template with the profile's own fields.
func (t profileTemplate) Options(provisioner.SignOptions) []x509util.Option {
	usage, registry := []string{}, []string{}
	if t.client {
		usage = append(usage, "clientAuth")
	}
	if t.server {
		usage = append(usage, "serverAuth")
	}
	if t.registry {
		registry = append(registry, registryUsage()[0].String())
	}
	return []x509util.Option{x509util.WithTemplate(leafTemplate, x509util.TemplateData{
		"uris": list(t.uris), "dns": list(t.dns), "ips": list(t.ips),
		"usage": usage, "registry": registry,
	})}
}

// fixedFields sets serial number and validity as they were stored.
func fixedFields(row certificateRow) provisioner.CertificateModifierFunc {
	return func(cert *x509.Certificate, _ provisioner.SignOptions) error {
		serial, ok := new(big.Int).SetString(row.serial, 16)
		if !ok {
			return fmt.Errorf("the serial number %q is not hexadecimal", row.serial)
		}
		cert.SerialNumber = serial
		cert.NotBefore, cert.NotAfter = row.notBefore, row.notAfter
		return nil
	}
}

// serialText is the form in which serial numbers are stored and shown.
func serialText(serial *big.Int) string { return hex.EncodeToString(serial.Bytes()) }

// list makes an absent list an empty one.
func list(s []string) []string { return append([]string{}, s...) }
