package forge

import (
	"crypto"
	"crypto/x509"
	"sync"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// KeyOf returns the private key of a certificate in the vectors (DER): each
// follows from a name. Of keys that nobody can have, such as one of small
// order, it returns another: a certificate is judged before the handshake's
// signature.
func KeyOf(certificate []byte) crypto.Signer {
	if c, err := x509.ParseCertificate(certificate); err == nil {
		if key := allKeys()[string(c.RawSubjectPublicKeyInfo)]; key != nil {
			return key
		}
	}
	return testca.Key("specimen")
}

// Token returns any payload signed by the owner of key, whose certificate is
// leaf: what a node would send that does not mind the rules for payloads.
func Token(typ identity.Typ, key crypto.Signer, leaf *x509.Certificate, payload []byte) string {
	return newPen(typ, key, leaf).write(payload)
}

// allKeys are the private keys of all certificates in the vectors by their
// public ones.
var allKeys = sync.OnceValue(func() map[string]crypto.Signer {
	ca := Authority()
	keys := []crypto.Signer{
		testca.Key("specimen"), testca.EdKey("specimen"), testca.EdKey("db-1"), testca.Key("vectors/ca-server"),
	}
	for _, name := range [][2]string{
		{"databaseservice", "db-1"},
		{"databaseservice", "db-2"},
		{"client", "carl"},
		{"client", "reader"},
		{"operator", "olga"},
		{"registry", "r1"},
		{"web", "neighbour"},
	} {
		id := ca.ID(name[0], name[1]).String()
		keys = append(keys, testca.Key("vectors/"+id), testca.Key("vectors/signing/"+id), testca.Key("another/"+id))
	}
	byPublic := map[string]crypto.Signer{}
	for _, k := range keys {
		byPublic[string(must(x509.MarshalPKIXPublicKey(k.Public())))] = k
	}
	return byPublic
})
