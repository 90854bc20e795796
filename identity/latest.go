package identity

import (
	"bytes"
	"reflect"
)

// checkSame refuses an identity of another node or network in place of i.
func (i *Identity) checkSame(next *Identity) error {
	if next.ID() != i.ID() || next.Bundle.NID() != i.Bundle.NID() {
		return Refuse(Binding, "the new identity is %s (%s), not %s (%s)", next.ID(), next.Bundle.NID(), i.ID(), i.Bundle.NID())
	}
	return nil
}

// latest returns what is later of an identity in memory and of the same one on
// disk, part by part; saved tells that disk has all that memory has. What is the
// same is memory's: programs notice changes by it, and its caches are warm.
func latest(memory, disk *Identity, saved bool) (*Identity, error) {
	later := *memory
	later.Credential = laterCredential(memory.Credential, disk.Credential)
	if memory.Signing != nil {
		later.Signing = laterCredential(memory.Signing, disk.Signing)
	}
	if saved {
		later.Document = disk.Document
	}
	var err error
	if later.Bundle, err = laterBundle(memory.Bundle, disk.Bundle); err != nil {
		return nil, err
	}
	if later.Credential == memory.Credential && later.Signing == memory.Signing && later.Bundle == memory.Bundle && reflect.DeepEqual(later.Document, memory.Document) {
		return memory, nil
	}
	return &later, nil
}

func laterCredential(memory, disk *Credential) *Credential {
	if memory.Thumbprint() == disk.Thumbprint() || memory.leaf.NotBefore.After(disk.leaf.NotBefore) {
		return memory
	}
	return disk
}

// laterBundle returns the bundle with more roots, with what the other knows.
func laterBundle(memory, disk *Bundle) (*Bundle, error) {
	if bytes.Equal(memory.PEM(), disk.PEM()) {
		return memory, nil
	}
	longer, other := memory, disk
	if len(disk.roots) > len(memory.roots) {
		longer, other = disk, memory
	}
	d := other.Document()
	return longer.Merge(d.Issuers, d.CRLs)
}

// rebase returns next, which was made from was, as if it had been made from
// current.
func rebase(next, was, current *Identity) (*Identity, error) {
	if current == was {
		return next, nil
	}
	rebased := *next
	if next.Credential == was.Credential {
		rebased.Credential = current.Credential
	}
	if next.Signing == was.Signing {
		rebased.Signing = current.Signing
	}
	var err error
	rebased.Bundle, err = laterBundle(next.Bundle, current.Bundle)
	return &rebased, err
}
