package identity_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzIdentityDocument reads identity.json from a folder that others share. What
// loads is of the node whose certificate lies there.
func FuzzIdentityDocument(f *testing.F) {
	ca := testca.New("production", "a", now)
	good := stored(ca, "databaseservice", "db-1")
	folder := identity.NewFolder(f.TempDir())
	if err := folder.Create(good, false); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(folder.Path(identity.DocumentFile))
	if err != nil {
		f.Fatal(err)
	}
	for way := range byte(7) {
		for place := range uint16(12) {
			f.Add(text, place, way, []byte{0, byte(place + 1), 1})
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, place uint16, way byte, with []byte) {
		doc = spoil.JSON(doc, place, way, with)
		if err := os.WriteFile(folder.Path(identity.DocumentFile), doc, 0o600); err != nil {
			t.Fatal(err)
		}
		var got *identity.Identity
		var err error
		spoil.Bounded(t, len(doc), 64, func() { got, err = folder.Load() })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if got.ID() != good.ID() || got.Document.NID != good.Document.NID || got.Document.Type != "service" ||
			!bytes.Equal(got.Credential.Leaf().Raw, good.Credential.Leaf().Raw) {
			t.Errorf("%s loads as %s", doc, got.ID())
		}
		if _, err := json.Marshal(got.Document); err != nil {
			t.Error(err)
		}
	})
}

// FuzzCredentialPEM reads node.key and node.crt.
func FuzzCredentialPEM(f *testing.F) {
	ca := testca.New("production", "a", now)
	cred := ca.Issue(ca.ID("databaseservice", "db-1"))
	f.Add(identity.EncodeChain(cred.Leaf(), cred.Issuer()))
	key, err := identity.EncodeKey(newKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key)
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := identity.DecodeKey(text); err != nil {
			spoil.Refused(t, err)
		} else if again, err := identity.EncodeKey(key); err != nil {
			t.Errorf("%v does not encode: %v", again, err)
		}
		leaf, issuer, err := identity.DecodeChain(text)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		again, other, err := identity.DecodeChain(identity.EncodeChain(leaf, issuer))
		if err != nil || !again.Equal(leaf) || !other.Equal(issuer) {
			t.Errorf("a chain does not survive its own encoding: %v", err)
		}
	})
}
