package store

import (
	"crypto/sha256"
	"sync"

	"github.com/neurons-me/netget/identity"
)

// Each object needs two certificates, and nearly always they are stored already.
// So a row is written only when it is half a day behind, and not even looked for
// within half a day of the last look. That keeps used_at later than one day
// before the newest object that needs the row, on which pruning relies.
const (
	lookAgain = 43_200 // seconds, as in upsertCertificate

	upsertCertificate = `INSERT INTO certificate (network, thumbprint, der, used_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (network, thumbprint) DO UPDATE SET used_at = excluded.used_at
		WHERE certificate.used_at <= excluded.used_at - 43200`
)

// A looks knows when certificates were looked for last. The zero value knows none.
type looks struct {
	mu   sync.Mutex
	last map[identity.Hash]int64 // guarded by mu; by thumbprint, Unix seconds
}

func (l *looks) isFresh(thumbprint identity.Hash, moment int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.last[thumbprint]
	return ok && moment-last < lookAgain
}

// add takes over what a transaction that is durable now has looked for.
func (l *looks) add(done *signers) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = make(map[identity.Hash]int64)
	}
	for thumbprint, signer := range done.byThumbprint {
		l.last[thumbprint] = max(l.last[thumbprint], signer.moment)
	}
}

// forget keeps what is known from growing for ever.
func (l *looks) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = nil
}

// A signers collects the certificates that one transaction must look for, each
// once.
type signers struct {
	looks        *looks
	byThumbprint map[identity.Hash]*signer
}

type signer struct {
	der    []byte
	moment int64 // of the newest object that needs it
}

func newSigners(l *looks) *signers {
	return &signers{looks: l, byThumbprint: make(map[identity.Hash]*signer)}
}

// note returns the thumbprint of a certificate that an object accepted at moment
// needs.
func (s *signers) note(der []byte, moment int64) identity.Hash {
	thumbprint := identity.Hash(sha256.Sum256(der))
	if known, ok := s.byThumbprint[thumbprint]; ok {
		known.moment = max(known.moment, moment)
		return thumbprint
	}
	if !s.looks.isFresh(thumbprint, moment) {
		s.byThumbprint[thumbprint] = &signer{der: der, moment: moment}
	}
	return thumbprint
}

func (s *signers) rows(network string) [][]any {
	rows := make([][]any, 0, len(s.byThumbprint))
	for thumbprint, signer := range s.byThumbprint {
		rows = append(rows, []any{network, thumbprint[:], signer.der, signer.moment})
	}
	return rows
}
