package discovery

import (
	"strconv"

	"github.com/neurons-me/netget/identity"
)

// A CRLMark is the newest revocation list seen of an authority.
type CRLMark struct {
	Number string        `json:"number"` // cRLNumber, decimal
	Hash   identity.Hash `json:"hash"`   // of the DER
}

// isAfter reports whether m is of a later list than o; the zero mark is of none.
func (m CRLMark) isAfter(o CRLMark) bool {
	number, ok := m.number()
	other, known := o.number()
	return ok && (!known || number > other)
}

// number returns the cRLNumber, which has at most 63 bits; ok is false where the
// mark has none in its one form.
func (m CRLMark) number() (n int64, ok bool) {
	n, err := strconv.ParseInt(m.Number, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == m.Number
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
			mark, known := CRLMark{crl.Number().String(), crl.Hash()}, state.CRLs[crl.Issuer()]
			switch {
			case mark.isAfter(known):
				state.CRLs[crl.Issuer()], changed = mark, true
			case known.isAfter(mark):
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
