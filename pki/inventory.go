package pki

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
)

// Uses of a certificate, as the inventory names them.
const (
	usageTLS      = "tls"
	usageSigning  = "signing"
	usageCAServer = "ca-server"
)

// An issuerKey names one issuer of one network; with a serial number it names
// a certificate.
type issuerKey struct {
	network string
	hash    identity.Hash // of the issuer's public key
}

// A certificateRow is one certificate of the inventory.
type certificateRow struct {
	issuer              issuerKey
	serial              string // lower-case hexadecimal
	issuerName, usage   string
	service, node       string
	notBefore, notAfter time.Time
	spki                identity.Hash // of the holder's public key
	issuedAt            time.Time
	sha256              []byte // of the DER, once it is signed
	renewedAt           *time.Time
	revokedAt           *time.Time
	revokedReason       string
}

// subject says for whom the certificate is, in messages.
func (r certificateRow) subject() string {
	if r.usage == usageCAServer {
		return "the authority's server in " + r.issuer.network
	}
	return r.service + "/" + r.node + " in " + r.issuer.network
}

// complete adds the signed certificate to the row that was reserved for it.
func (s *store) complete(ctx context.Context, issuer issuerKey, cert *x509.Certificate) error {
	sum := sha256.Sum256(cert.Raw)
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE certificates SET sha256 = $4, der = $5
			WHERE network = $1 AND issuer = $2 AND serial = $3 AND der IS NULL`,
			issuer.network, issuer.hash[:], serialText(cert.SerialNumber), sum[:], cert.Raw)
		if err == nil && n != 1 {
			err = errors.New("no row was reserved for the certificate")
		}
		return err
	})
	return storeError("storing a certificate", err)
}

const certificateColumns = `network, issuer, serial, issuer_name, usage, service, node,
	not_before, not_after, spki, issued_at, sha256, renewed_at, revoked_at, revoked_reason`

// certificate returns one signed certificate; [identity.NotFound] if there is none.
func (s *store) certificate(ctx context.Context, issuer issuerKey, serial string) (certificateRow, error) {
	rows, err := s.certificates(ctx, `SELECT `+certificateColumns+` FROM certificates
		WHERE network = $1 AND issuer = $2 AND serial = $3 AND der IS NOT NULL`,
		issuer.network, issuer.hash[:], serial)
	if err == nil && len(rows) == 0 {
		err = identity.Refuse(identity.NotFound, "no certificate has the serial number %s", serial)
	}
	if err != nil {
		return certificateRow{}, err
	}
	return rows[0], nil
}

// list returns the signed certificates of a network, newest first; "" stands
// for all networks.
func (s *store) list(ctx context.Context, network string) ([]certificateRow, error) {
	return s.certificates(ctx, `SELECT `+certificateColumns+` FROM certificates
		WHERE ($1 = '' OR network = $1) AND der IS NOT NULL ORDER BY issued_at DESC, rowid DESC`, network)
}

// encoded returns the DER of a signed certificate; [identity.NotFound] if
// there is none.
func (s *store) encoded(ctx context.Context, issuer issuerKey, serial string) ([]byte, error) {
	var der []byte
	err := s.db.Read(ctx, func(q *database.Query) error {
		return q.Get(ctx, `SELECT der FROM certificates
			WHERE network = $1 AND issuer = $2 AND serial = $3 AND der IS NOT NULL`,
			[]any{issuer.network, issuer.hash[:], serial}, &der)
	})
	if errors.Is(err, database.ErrNoRows) {
		return nil, identity.Refuse(identity.NotFound, "no certificate has the serial number %s", serial)
	}
	return der, storeError("reading a certificate", err)
}

func (s *store) certificates(ctx context.Context, query string, args ...any) ([]certificateRow, error) {
	var found []certificateRow
	err := s.db.Read(ctx, func(q *database.Query) error {
		rows, err := q.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row, err := scanCertificate(rows)
			if err != nil {
				return err
			}
			found = append(found, row)
		}
		return rows.Err()
	})
	return found, storeError("reading the inventory", err)
}

func scanCertificate(rows *database.Rows) (certificateRow, error) {
	var r certificateRow
	var issuer, spki []byte
	var notBefore, notAfter, issued int64
	var renewed, revoked *int64
	var reason *string
	err := rows.Scan(&r.issuer.network, &issuer, &r.serial, &r.issuerName, &r.usage, &r.service, &r.node,
		&notBefore, &notAfter, &spki, &issued, &r.sha256, &renewed, &revoked, &reason)
	if err != nil {
		return r, err
	}
	copy(r.issuer.hash[:], issuer)
	copy(r.spki[:], spki)
	r.notBefore, r.notAfter, r.issuedAt = moment(notBefore), moment(notAfter), moment(issued)
	r.renewedAt, r.revokedAt = maybeMoment(renewed), maybeMoment(revoked)
	if reason != nil {
		r.revokedReason = *reason
	}
	return r, nil
}

func moment(unix int64) time.Time { return time.Unix(unix, 0).UTC() }

func maybeMoment(unix *int64) *time.Time {
	if unix == nil {
		return nil
	}
	t := moment(*unix)
	return &t
}
