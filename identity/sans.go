package identity

import (
	"crypto/x509"
	"encoding/asn1"
)

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// Tags of a GeneralName (RFC 5280 section 4.2.1.6) that a profile knows.
const (
	tagDNS = 2
	tagURI = 6
	tagIP  = 7
)

// uriSANs returns the URI names of a certificate, byte for byte: crypto/x509
// hands them out parsed and so perhaps normalised. It refuses every kind of
// name but DNS, URI and IP, also those that crypto/x509 leaves out.
func uriSANs(cert *x509.Certificate) ([]string, error) {
	var uris []string
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(oidSubjectAltName) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(ext.Value, &names); err != nil || len(rest) != 0 {
			return nil, Refuse(BadCert, "the certificate's names do not parse")
		}
		for _, name := range names {
			if name.Class != asn1.ClassContextSpecific {
				return nil, Refuse(BadCert, "the certificate's names do not parse")
			}
			switch name.Tag {
			case tagURI:
				uris = append(uris, string(name.Bytes))
			case tagDNS, tagIP:
			default:
				return nil, Refuse(BadCert, "the certificate carries a name that is neither DNS, URI nor IP")
			}
		}
	}
	return uris, nil
}

func hasExtension(cert *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(id) {
			return true
		}
	}
	return false
}
