package discovery

import (
	"math/big"

	"github.com/neurons-me/netget/identity"
)

// A CRLMark is the newest revocation list seen of an authority.
type CRLMark struct {
	Number string        `json:"number"` // cRLNumber, decimal
	Hash   identity.Hash `json:"hash"`   // of the DER
}

// takeCRLs remembers the lists of a bundle. It returns the authorities of which
// a later list was seen before than the bundle has: somebody goes back.
func (m *Marks) takeCRLs(b *identity.Bundle) (back []identity.Hash, err error) {
	err = m.update(func(state *marks) (changed bool, err error) {
		missing := make(map[identity.Hash]struct{}, len(state.CRLs))
		for issuer := range state.CRLs {
			missing[issuer] = struct{}{}
		}
		for _, crl := range b.CRLs() {
			delete(missing, crl.Issuer())
			known, ok := new(big.Int).SetString(state.CRLs[crl.Issuer()].Number, 10)
			switch {
			case !ok || crl.Number().Cmp(known) > 0:
				state.CRLs[crl.Issuer()], changed = CRLMark{crl.Number().String(), crl.Hash()}, true
			case crl.Number().Cmp(known) < 0:
				missing[crl.Issuer()] = struct{}{}
			}
		}
		for issuer := range missing {
			back = append(back, issuer)
		}
		return changed, nil
	})
	return back, err
}
