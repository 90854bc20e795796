package pki_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/pki"
)

// The clock jumps ahead, somebody enrols, and it is set right again.
func TestUsedTokenAfterTheClockJumped(t *testing.T) {
	w := newWorld(t, "development")
	enrol := func(token pki.Token) reply {
		// A caller of its own: its connection ends with the jump.
		return w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: token.Token, CSR: plainCSR(t)})
	}
	used := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1", TTL: 24 * time.Hour})
	if got := enrol(used); got.status != http.StatusCreated {
		t.Fatalf("first use: %d %s", got.status, got.body)
	}
	w.clock.Advance(72 * time.Hour)
	if got := enrol(w.token(t, pki.TokenRequest{Service: "billing", Node: "b2"})); got.status != http.StatusCreated {
		t.Fatalf("during the jump: %d %s", got.status, got.body)
	}
	w.clock.Advance(-72 * time.Hour)
	wantRefusal(t, enrol(used), 403, identity.Denied)
	mustContain(t, w.log.String(), "event=token-reuse")
}

// Ids are kept for a year after the token's end, not for ever.
func TestUsedTokensAreForgotten(t *testing.T) {
	dir, c := initDir(t, "development"), newClock()
	const day = 24 * time.Hour
	db := openDatabase(t, dir)
	err := db.Write(t.Context(), func(tx *database.Tx) error {
		_, err := tx.ExecMany(t.Context(), `INSERT INTO used_tokens (network, jti, expires_at) VALUES ($1, $2, $3)`, [][]any{
			{"development", "old", c.Now().Add(-366 * day).Unix()},
			{"development", "young", c.Now().Add(-364 * day).Unix()},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("serving", func(t *testing.T) {
		serveWorld(t, dir, c, nil).enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	})
	if n := countRows(t, dir, "used_tokens"); n != 2 {
		t.Errorf("%d used tokens stored, want the young one and the newest", n)
	}
}
