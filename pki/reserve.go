package pki

import (
	"context"
	"errors"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
)

// A reservation is what is stored before anything is signed: all of it in one
// transaction, or none.
type reservation struct {
	network   string
	now       time.Time
	token     *grant   // the token that is used up, if one is
	renewal   *renewal // the certificate that is renewed, if one is
	rows      []certificateRow
	registry  string // label of the registry that addresses belong to
	addresses []string
}

// A renewal names the certificate that is being renewed.
type renewal struct {
	issuer issuerKey
	serial string
	over   bool // its time is over: it may be renewed only once
}

// reserve stores a reservation. It refuses, and stores nothing, with
// [identity.Denied] for a token that was used and for a certificate that may
// not be renewed, and with [identity.Revoked] for a revoked one.
func (s *store) reserve(ctx context.Context, r reservation) error {
	if len(r.addresses) != 0 {
		defer s.changed.Add(1)
	}
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		if err := r.spendToken(ctx, tx); err != nil {
			return err
		}
		if err := r.checkRenewal(ctx, tx); err != nil {
			return err
		}
		if err := insertRows(ctx, tx, r.rows); err != nil {
			return err
		}
		return setRegistry(ctx, tx, r.network, r.registry, r.addresses)
	})
	return storeError("reserving a certificate", err)
}

// spendToken uses the token up, if there is one.
func (r reservation) spendToken(ctx context.Context, tx *database.Tx) error {
	if r.token == nil {
		return nil
	}
	if err := purgeTokens(ctx, tx, r.now); err != nil {
		return err
	}
	fresh, err := useToken(ctx, tx, r.network, r.token.jti, r.token.expires)
	if err == nil && !fresh {
		return errTokenUsed()
	}
	return err
}

// checkRenewal requires that the old certificate is one of ours, in force, and
// that the new keys were never certified here; then it is marked as renewed.
func (r reservation) checkRenewal(ctx context.Context, tx *database.Tx) error {
	if r.renewal == nil {
		return nil
	}
	if err := r.checkOld(ctx, tx); err != nil {
		return err
	}
	for _, row := range r.rows {
		if err := checkFreshKey(ctx, tx, row); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE certificates SET renewed_at = $4
		WHERE network = $1 AND issuer = $2 AND serial = $3`,
		r.renewal.issuer.network, r.renewal.issuer.hash[:], r.renewal.serial, r.now.Unix())
	return err
}

func (r reservation) checkOld(ctx context.Context, tx *database.Tx) error {
	var renewed, revoked *int64
	err := tx.Get(ctx, `SELECT renewed_at, revoked_at FROM certificates
		WHERE network = $1 AND issuer = $2 AND serial = $3 AND der IS NOT NULL`,
		[]any{r.renewal.issuer.network, r.renewal.issuer.hash[:], r.renewal.serial}, &renewed, &revoked)
	switch {
	case errors.Is(err, database.ErrNoRows):
		return identity.Refuse(identity.Denied, "the certificate is not in the inventory")
	case err != nil:
		return err
	case revoked != nil:
		return identity.Refuse(identity.Revoked, "the certificate is revoked")
	case renewed != nil && r.renewal.over:
		return identity.Refuse(identity.Denied, "the certificate is over and was renewed before")
	}
	return nil
}

func checkFreshKey(ctx context.Context, tx *database.Tx, row certificateRow) error {
	var known int64
	err := tx.Get(ctx, `SELECT COUNT(*) FROM certificates WHERE network = $1 AND spki = $2`,
		[]any{row.issuer.network, row.spki[:]}, &known)
	if err == nil && known != 0 {
		return identity.Refuse(identity.Denied, "a renewal needs a new key, and this one was certified before")
	}
	return err
}

func insertRows(ctx context.Context, tx *database.Tx, rows []certificateRow) error {
	args := make([][]any, 0, len(rows))
	for _, r := range rows {
		args = append(args, []any{
			r.issuer.network, r.issuer.hash[:], r.serial, r.issuerName, r.usage, r.service, r.node,
			r.notBefore.Unix(), r.notAfter.Unix(), r.spki[:], r.issuedAt.Unix(),
		})
	}
	_, err := tx.ExecMany(ctx, `INSERT INTO certificates (network, issuer, serial, issuer_name, usage,
		service, node, not_before, not_after, spki, issued_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, args)
	return err
}
