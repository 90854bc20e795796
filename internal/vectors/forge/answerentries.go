package forge

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"strings"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// webOnly is the map of version 4 without the service that is asked for.
func webOnly(s *scene) prefixmap.Map {
	web := s.service("web", third, "web-1", "web-2")
	return prefixmap.Map{}.Put(discovery.ServiceKey(identity.NID(s.ca.Root), "web"), web.Value())
}

func withoutService(s *scene, h discovery.Head) discovery.Head {
	h.Root, h.Services, h.Records = webOnly(s).Root(), 1, 3
	return h
}

// shown lets db-2's record be signed with a certificate that no honest
// authority makes. The registry lists it all the same.
func shown(forge func(*scene, *x509.Certificate) (leaf, issuer *x509.Certificate)) func(*scene) {
	return func(s *scene) {
		good := s.creds["db-2"]
		leaf, issuer := forge(s, leafTemplate(s.ca, good.ID(), good.Leaf().PublicKey))
		s.spoil = func(a *discovery.Answer) {
			payload := must(base64.RawURLEncoding.DecodeString(strings.Split(a.Records[1].Record, ".")[1]))
			a.Records[1].Record = newPen(identity.RecordTyp, keyOf(good), leaf).write(payload)
			a.Certificates[1] = leaf.Raw
			a.Issuers = append(a.Issuers, issuer.Raw)
		}
	}
}

// payload replaces a piece of db-2's record, which the node signs like that.
func payload(old, with string) func(*scene) {
	return func(s *scene) {
		s.spoil = func(a *discovery.Answer) {
			cred := s.creds["db-2"]
			text := must(base64.RawURLEncoding.DecodeString(strings.Split(a.Records[1].Record, ".")[1]))
			a.Records[1].Record = newPen(identity.RecordTyp, keyOf(cred), cred.Leaf()).write([]byte(replace(string(text), old, with)))
		}
	}
}

func badEntries() []vectors.Answer {
	byNodeIssuer := func(spoil func(*x509.Certificate)) func(*scene) {
		return shown(func(s *scene, t *x509.Certificate) (*x509.Certificate, *x509.Certificate) {
			spoil(t)
			return nodeIssuer(s.ca).sign(t, s.creds["db-2"].Leaf().PublicKey), s.ca.NodeIssuer
		})
	}
	list := badAnswers(identity.BadCert, []spoilt{
		{"an endpoint under a rogue authority", shown(func(s *scene, t *x509.Certificate) (*x509.Certificate, *x509.Certificate) {
			rogue := testca.New(network, "another", issued())
			return rogue.SignWithNodeIssuer(t, s.creds["db-2"].Leaf().PublicKey), rogue.NodeIssuer
		})},
		{"a node's certificate that was not sent", sent(func(a *discovery.Answer) { a.Certificates = append(a.Certificates[:1], a.Certificates[2:]...) })},
		{"an issuer that was not sent", sent(func(a *discovery.Answer) { a.Issuers = [][]byte{} })},
		{"another issuer in its place", func(s *scene) {
			s.spoil = func(a *discovery.Answer) { a.Issuers = [][]byte{s.ca.RegistryIssuer.Raw} }
		}},
		{"an issuer that is no certificate", sent(func(a *discovery.Answer) { a.Issuers[0] = []byte("no certificate") })},
		{"a registry's signing certificate as node", func(s *scene) {
			s.v.Service = "registry"
			id := s.ca.ID("registry", "r1")
			cred := s.ca.IssueSigning(id)
			s.doc = func(string) string {
				r := s.record(id, nil)
				a := s.answer()
				a.Records = []discovery.AnswerRecord{{Record: newPen(identity.RecordTyp, keyOf(cred), cred.Leaf()).write(encode(r)), Status: discovery.Up, Since: second}}
				a.Certificates, a.Issuers = [][]byte{cred.Leaf().Raw}, [][]byte{cred.Issuer().Raw}
				return string(encode(a))
			}
		}},
		{"a record under a leaf with two URI names", byNodeIssuer(uri("spiffe://production.netget.internal/databaseservice/db-2", "spiffe://production.netget.internal/databaseservice/db-9"))},
		{"a record under an authority's certificate", byNodeIssuer(func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = true, true })},
		{"a record under an issuer without constraints", shown(func(s *scene, t *x509.Certificate) (*x509.Certificate, *x509.Certificate) {
			i := newIssuer(s.ca, s.ca.Root, rootKey(), unconstrained)
			return i.sign(t, s.creds["db-2"].Leaf().PublicKey), i.cert
		})},
		{"a record under a chain of more than 16 KiB", shown(func(s *scene, t *x509.Certificate) (*x509.Certificate, *x509.Certificate) {
			i := newIssuer(s.ca, s.ca.Root, rootKey(), huge)
			return i.sign(t, s.creds["db-2"].Leaf().PublicKey), i.cert
		})},
		{"a record under a leaf of which a bit was flipped", shown(func(s *scene, t *x509.Certificate) (*x509.Certificate, *x509.Certificate) {
			der := nodeIssuer(s.ca).sign(t, s.creds["db-2"].Leaf().PublicKey).Raw
			der[len(der)-1] ^= 1
			return must(x509.ParseCertificate(der)), s.ca.NodeIssuer
		})},
	})
	list = append(list, badAnswers(identity.Binding, []spoilt{
		{"a node of another service", func(s *scene) {
			s.spoil = func(a *discovery.Answer) {
				web := s.nodes["web-1"]
				a.Records[1].Record = web.Token()
				a.Certificates[1] = web.Certificate().Leaf().Raw
			}
		}},
		{"a record that is not of its certificate's node", payload("/databaseservice/db-2", "/databaseservice/db-9")},
	})...)
	list = append(list, badAnswers(identity.Denied, []spoilt{
		{"a record for another service than its node's", payload(`"service":"databaseservice"`, `"service":"billing"`)},
	})...)
	list = append(list, badAnswers(identity.WrongNetwork, []spoilt{
		{"a record for another network", payload(`"network":"production"`, `"network":"development"`)},
	})...)
	list = append(list, badAnswers(identity.BadTime, []spoilt{
		{"a record that outlives its certificate", func(s *scene) {
			byNodeIssuer(func(c *x509.Certificate) { c.NotAfter = at(now + hour/2) })(s)
		}},
	})...)
	return append(list, badAnswers(identity.Malformed, []spoilt{
		{"a record with an unknown member", payload(`"v":1`, `"v":1,"w":1`)},
		{"a record that is no token", sent(func(a *discovery.Answer) { a.Records[1].Record = "no token" })},
	})...)
}

// huge makes a certificate larger than any chain may be.
func huge(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, 16<<10)}}
}

func unconstrained(c *x509.Certificate) {
	c.PermittedURIDomains, c.PermittedDNSDomains, c.PermittedEmailAddresses, c.PermittedIPRanges = nil, nil, nil, nil
}
