package pki

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/smallstep/certificates/db"
)

// storeTimeout bounds what smallstep asks of the store, which it does without
// a context.
const storeTimeout = 10 * time.Second

// An authDB shows one issuer's part of the inventory to its smallstep
// authority. It implements db.AuthDB and db.CertificateStorer's X.509 half.
type authDB struct {
	store  *store
	issuer issuerKey
	now    func() time.Time
}

// IsRevoked reports whether a certificate of the issuer is revoked; serials
// come in decimal.
func (a authDB) IsRevoked(serial string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	text, err := fromDecimal(serial)
	if err != nil {
		return false, err
	}
	row, err := a.store.certificate(ctx, a.issuer, text)
	return row.revokedAt != nil, err
}

// GetCertificate returns a certificate of the issuer.
func (a authDB) GetCertificate(serial string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	text, err := fromDecimal(serial)
	if err != nil {
		return nil, err
	}
	der, err := a.store.encoded(ctx, a.issuer, text)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func fromDecimal(text string) (string, error) {
	serial, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return "", fmt.Errorf("the serial number %q is not decimal", text)
	}
	return serialText(serial), nil
}

// UseToken stores a token's id; false means that it was there before.
func (a authDB) UseToken(id, _ string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	return a.store.useToken(ctx, a.issuer.network, id, a.now())
}

// StoreCertificateChain completes the row that was reserved for a certificate.
func (a authDB) StoreCertificateChain(chain ...*x509.Certificate) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	return a.store.complete(ctx, a.issuer, chain[0])
}

// Revoke is not how this authority revokes.
func (authDB) Revoke(*db.RevokedCertificateInfo) error { return db.ErrNotImplemented }

// RevokeSSH refuses: there are no SSH certificates here.
func (authDB) RevokeSSH(*db.RevokedCertificateInfo) error { return db.ErrNotImplemented }

// IsSSHRevoked refuses: there are no SSH certificates here.
func (authDB) IsSSHRevoked(string) (bool, error) { return false, db.ErrNotImplemented }

// IsSSHHost refuses: there are no SSH certificates here.
func (authDB) IsSSHHost(string) (bool, error) { return false, db.ErrNotImplemented }

// GetSSHHostPrincipals refuses: there are no SSH certificates here.
func (authDB) GetSSHHostPrincipals() ([]string, error) { return nil, db.ErrNotImplemented }

// Shutdown does nothing: the store belongs to the whole authority.
func (authDB) Shutdown() error { return nil }
