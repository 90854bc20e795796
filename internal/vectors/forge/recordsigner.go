package forge

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"time"

	"filippo.io/edwards25519"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// withEd25519 lets the node sign with an Ed25519 key, whose signature forge makes.
func withEd25519(forge func(seed []byte, input string) []byte) edit {
	return func(c *claim) {
		key := testca.EdKey("db-1")
		c.sign(c.ca.IssueKey(c.id, key))
		c.token = func(t string) string {
			input := t[:strings.LastIndexByte(t, '.')]
			private, ok := key.(ed25519.PrivateKey)
			if !ok {
				panic("not an Ed25519 key")
			}
			return input + "." + b64u(forge(private.Seed(), input))
		}
	}
}

// forgeEd25519 signs with R = [r]B + torsion, as only a forger would choose.
func forgeEd25519(seed []byte, input string, r *edwards25519.Scalar, torsion *edwards25519.Point) []byte {
	digest := sha512.Sum512(seed)
	a := must(new(edwards25519.Scalar).SetBytesWithClamping(digest[:32]))
	public := new(edwards25519.Point).ScalarBaseMult(a).Bytes()
	point := new(edwards25519.Point).ScalarBaseMult(r)
	point.Add(point, torsion)
	k512 := sha512.Sum512(append(append(bytes.Clone(point.Bytes()), public...), input...))
	k := must(new(edwards25519.Scalar).SetUniformBytes(k512[:]))
	return append(bytes.Clone(point.Bytes()), new(edwards25519.Scalar).MultiplyAdd(k, a, r).Bytes()...)
}

// smallOrderR makes a signature that verifies by the equation, with R = [0]B.
func smallOrderR(seed []byte, input string) []byte {
	return forgeEd25519(seed, input, edwards25519.NewScalar(), edwards25519.NewIdentityPoint())
}

// cofactored makes a signature that only verifies times the cofactor.
func cofactored(seed []byte, input string) []byte {
	torsion := must(new(edwards25519.Point).SetBytes(make([]byte, 32))) // y = 0 is of order four
	return forgeEd25519(seed, input, must(new(edwards25519.Scalar).SetUniformBytes(bytes.Repeat([]byte{7}, 64))), torsion)
}

// bigS adds the group's order to S.
func bigS(seed []byte, input string) []byte {
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte(input))
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := reversed(signature[32:])
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order)
	return append(signature[:32], reversed(sum.FillBytes(make([]byte, 32)))...)
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, x := range b {
		out[len(b)-1-i] = x
	}
	return out
}

func hmacWithPublicKey(token string) string {
	cut := strings.LastIndexByte(token, '.')
	ca := newCA()
	mac := hmac.New(sha256.New, must(x509.MarshalPKIXPublicKey(ca.Issue(ca.ID(service, "db-1")).Leaf().PublicKey)))
	mac.Write([]byte(token[:cut]))
	return token[:cut+1] + b64u(mac.Sum(nil))
}

// strayBits changes the last character of a token in the bits that decode to
// nothing: 64 bytes take 86 characters and leave four bits.
func strayBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

func badSignatures() []vectors.Record {
	return bad(identity.BadSignature, []row{
		{"a flipped bit", token(resign(func(s []byte) []byte { s[10] ^= 1; return s }))},
		{"the signature of another key", token(func(t string) string {
			cut := strings.LastIndexByte(t, '.')
			return t[:cut+1] + b64u(signRaw(testca.Key("another"), []byte(t[:cut])))
		})},
		{"a payload that was changed after signing", token(func(t string) string {
			p := strings.Split(t, ".")
			payload := string(newClaim().payload)
			return p[0] + "." + b64u([]byte(replace(payload, `"10.0.0.1"`, `"10.6.6.6"`))) + "." + p[2]
		})},
		{"a truncated signature", token(resign(func(s []byte) []byte { return s[:63] }))},
		{"a signature with a byte too many", token(resign(func(s []byte) []byte { return append(s, 0) }))},
		{"an empty signature", token(resign(func([]byte) []byte { return nil }))},
		{"all zeros", token(resign(func(s []byte) []byte { return make([]byte, len(s)) }))},
		{"an ECDSA signature in DER", token(resign(derForm))},
		{"an Ed25519 signature of which R is of small order, though the equation holds", withEd25519(smallOrderR)},
		{"an Ed25519 signature that holds only times the cofactor", withEd25519(cofactored)},
		{"an Ed25519 signature with S not below the group's order", withEd25519(bigS)},
	})
}

func badNetworks() []vectors.Record {
	return bad(identity.WrongNetwork, []row{
		{"the name of another network", text(`"network":"production"`, `"network":"development"`)},
		{"the same name, another nid", record(func(r *identity.Record) { r.Aud = identity.Audience(hashOf("another root")) })},
		{"a tombstone for another nid", tombstone(func(t *identity.Tombstone) { t.Aud = identity.Audience(hashOf("another root")) })},
	})
}

func badSigners() []vectors.Record {
	list := bad(identity.Binding, []row{
		{"a record of another node than the certificate's", text(`/databaseservice/db-1"`, `/databaseservice/db-2"`)},
		{"a header that names another certificate than the connection's", func(c *claim) {
			c.named = c.ca.Issue(c.id).Leaf()
		}},
	})
	list = append(list, bad(identity.Denied, []row{
		{"a service that is not in the certificate", text(`"service":"databaseservice"`, `"service":"billing"`)},
		{"a registry that offers another service", then(as("registry", "r1"), text(`"service":"registry"`, `"service":"databaseservice"`))},
		{"a service node that says to be a registry", text(`"service":"databaseservice"`, `"service":"registry"`)},
		{"a record by a client", as("client", "carl")},
		{"a record by an operator", as("operator", "olga")},
		{"a tombstone for another node", tombstone(func(t *identity.Tombstone) { *t = newTombstone(newCA(), newCA().ID(service, "db-2")) })},
		{"a tombstone by a client for itself", then(as("client", "carl"), tombstone(nil))},
		{"a tombstone by a client for a node", func(c *claim) {
			c.sign(c.ca.Issue(c.ca.ID("client", "carl")))
			tombstone(nil)(c)
		}},
		{"an operator's tombstone against a client", func(c *claim) {
			c.id = c.ca.ID("client", "carl")
			operator(nil)(c)
		}},
		{"an operator's tombstone against an operator", func(c *claim) {
			c.id = c.ca.ID("operator", "otto")
			operator(nil)(c)
		}},
		{"an operator's tombstone against a node of another network", func(c *claim) {
			operator(nil)(c)
			text("spiffe://production.", "spiffe://development.")(c)
		}},
		{"an operator's tombstone with another service than the node's", operator(func(t *identity.Tombstone) { t.Service = "billing" })},
	})...)
	return append(list, bad(identity.Revoked, []row{
		{"a certificate on its issuer's list", func(c *claim) { c.crls = [][]byte{c.ca.CRL(1, c.leaf)} }},
		{"an issuer on the root's list", func(c *claim) { c.crls = [][]byte{crl(c.ca.Root, rootKey(), c.issuer)} }},
		{"an operator whose certificate is on the list", then(operator(nil), func(c *claim) { c.crls = [][]byte{c.ca.CRL(1, c.leaf)} })},
	})...)
}

// under lets another issuer sign the node's certificate.
func under(of func(*claim) issuer, edits ...func(*x509.Certificate)) edit {
	return func(c *claim) {
		i := of(c)
		c.issuer, c.leaf = i.cert, i.leaf(c.ca, c.id, c.key.Public(), edits...)
	}
}

// publicKey puts a key into the node's certificate that it cannot sign with.
func publicKey(key crypto.PublicKey) edit {
	return func(c *claim) { c.leaf = nodeIssuer(c.ca).leaf(c.ca, c.id, key) }
}

func badChains() []vectors.Record {
	id := "spiffe://production.netget.internal/databaseservice/db-1"
	return bad(identity.BadCert, []row{
		{"two URI names", leaf(uri(id, "spiffe://production.netget.internal/databaseservice/db-2"))},
		{"a foreign DNS name", leaf(func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "db-1.example.org") })},
		{"the DNS name of another node", leaf(func(c *x509.Certificate) { c.DNSNames = []string{"db-2.databaseservice.production.netget.internal"} })},
		{"an IP name on a service node", leaf(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })},
		{"a sub-domain of the trust domain", leaf(uri("spiffe://evil.production.netget.internal/databaseservice/db-1"))},
		{"an upper-case host", leaf(uri("spiffe://Production.netget.internal/databaseservice/db-1"))},
		{"a port", leaf(uri("spiffe://production.netget.internal:8438/databaseservice/db-1"))},
		{"user info", leaf(uri("spiffe://user@production.netget.internal/databaseservice/db-1"))},
		{"an e-mail name", leaf(func(c *x509.Certificate) { c.EmailAddresses = []string{"db@production.netget.internal"} })},
		{"a certificate authority in place of a node", leaf(func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = true, true })},
		{"a leaf with keyCertSign", leaf(func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign })},
		{"another root of the same name", func(c *claim) {
			cred := testca.New(network, "another", issued()).Issue(c.id)
			c.sign(cred)
		}},
		{"an expired chain", under(func(c *claim) issuer {
			return newIssuer(c.ca, c.ca.Root, rootKey(), func(x *x509.Certificate) { x.NotAfter = at(now).Add(-10 * time.Minute) })
		})},
		{"an RSA key", publicKey(rsaKey())},
		{"an Ed25519 key of small order", publicKey(smallOrderKey())},
		{"an Ed25519 key that is not canonical", publicKey(nonCanonicalKey())},
		{"a node's certificate made by the registry issuer", func(c *claim) {
			c.issuer, c.leaf = c.ca.RegistryIssuer, registryIssuer(c.ca).leaf(c.ca, c.id, c.key.Public())
		}},
		{"a registry's signing certificate in place of its TLS certificate", func(c *claim) {
			as("registry", "r1")(c)
			c.sign(c.ca.IssueSigning(c.id))
		}},
		{"a certificate under an issuer that nobody signed", under(func(c *claim) issuer {
			rogue := testca.Key("rogue")
			return newIssuerKey(c.ca, rogue, c.ca.Root, rogue)
		})},
	})
}

func badTimes() []vectors.Record {
	return bad(identity.BadTime, []row{
		{"an expired record", func(c *claim) { c.now = now + 6*hour }},
		{"an expired tombstone, its certificate renewed", then(leaf(func(x *x509.Certificate) { x.NotAfter = at(now + 3*day) }), tombstone(nil), func(c *claim) { c.now = now + day + 120 })},
		{"iat in the future", func(c *claim) { c.now = now - 61 }},
		{"exp at iat", record(func(r *identity.Record) { r.IAT, r.Exp = now+30, now+30 })},
		{"exp before iat", record(func(r *identity.Record) { r.IAT, r.Exp = now+30, now+29 })},
		{"a life of more than a day", then(leaf(func(x *x509.Certificate) { x.NotAfter = at(now + 3*day) }), record(func(r *identity.Record) {
			r.Exp, r.Heartbeat.Count = r.IAT+day+1, 8640
		}))},
		{"exp beyond the certificate's notAfter", leaf(func(x *x509.Certificate) { x.NotAfter = at(now + 6*hour - 1) })},
		{"iat before the certificate's notBefore", leaf(func(x *x509.Certificate) { x.NotBefore = at(now + 1) })},
		{"an epoch in the future", record(func(r *identity.Record) { r.Epoch = now + 62 })},
		{"a tombstone that lives a second less", tombstone(func(t *identity.Tombstone) { t.Exp-- })},
		{"a tombstone that lives a second more", tombstone(func(t *identity.Tombstone) { t.Exp++ })},
		{"a tombstone with an epoch in the future", tombstone(func(t *identity.Tombstone) { t.Epoch = now + 62 })},
		{"a tombstone from before its certificate", then(leaf(func(x *x509.Certificate) { x.NotBefore = at(now + 61) }), tombstone(nil), func(c *claim) { c.now = now + 62 })},
	})
}

func badOrders() []vectors.Record {
	rows := []row{
		{"a lower sequence", known(func(r *identity.Record) { r.Sequence = 2 })},
		{"a lower epoch with a greater sequence", then(known(func(r *identity.Record) { r.Epoch = now + 1 }), record(func(r *identity.Record) { r.Sequence = 9 }))},
		{"a record after its tombstone", func(c *claim) {
			c.state = must(identity.SignTombstone(newTombstone(c.ca, c.id), c.ca.Issue(c.id), c.ca.Bundle()))
		}},
		{"a record of an epoch that an operator removed", then(removed, record(func(r *identity.Record) { r.Sequence = identity.MaxSequence }))},
		{"the lesser of two records for one place", lesser},
		{"an operator's tombstone for an epoch that is over", then(known(func(r *identity.Record) { r.Epoch = now + 1 }), operator(nil))},
	}
	return bad(identity.Superseded, rows)
}

// lesser gives the registry and the claim two records for one (epoch, sequence),
// the registry the one with the greater rid.
func lesser(c *claim) {
	for i := 0; ; i++ {
		port := int64(1000 + i)
		known(func(r *identity.Record) { r.Endpoints[0].Port = port })(c)
		mine := hashOf(signingInput(c))
		held := c.state.RID()
		if bytes.Compare(mine[:], held[:]) < 0 {
			return
		}
	}
}

func signingInput(c *claim) string {
	token := newPen(c.typ, c.key, c.leaf).write(c.payload)
	return token[:strings.LastIndexByte(token, '.')]
}

func badTombstones() []vectors.Record {
	list := bad(identity.Malformed, []row{
		{"a tombstone with a member of records", then(tombstone(nil), text(`"service":"databaseservice"`, `"service":"databaseservice","state":"active"`))},
		{"a tombstone without exp", then(tombstone(nil), text(`"exp":1795435320,`, ``))},
		{"a tombstone with v = 2", then(tombstone(nil), text(`"v":1`, `"v":2`))},
		{"a tombstone of an upper-case network", then(tombstone(nil), text(`"network":"production"`, `"network":"Production"`))},
		{"a tombstone of an upper-case service", then(tombstone(nil), text(`"service":"databaseservice"`, `"service":"Databaseservice"`))},
		{"a record's payload in a tombstone's header", func(c *claim) { c.typ = identity.TombstoneTyp }},
	})
	return append(list, bad(identity.Limits, []row{
		{"a tombstone with sequence 0", tombstone(func(t *identity.Tombstone) { t.Sequence = 0 })},
		{"a tombstone with epoch 0", tombstone(func(t *identity.Tombstone) { t.Epoch = 0 })},
		{"a node's tombstone with the operators' sequence", tombstone(func(t *identity.Tombstone) { t.Sequence = identity.OperatorSequence })},
		{"an operator's tombstone with a node's sequence", operator(func(t *identity.Tombstone) { t.Sequence = 2 })},
	})...)
}
