package pki_test

import (
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// accepted are the findings that stand, each with its reason.
func accepted() map[string]string {
	return map[string]string{
		"n_san_iana_pub_suffix_empty": "localhost is a name that a network gives its servers unless it is told others, and no authority of the public web is asked for it",
	}
}

// Every certificate passes the lints that stand for the RFCs and those of the
// community. The rules of the public web's authorities are not ours.
func TestCertificatesOfEveryProfilePassTheLints(t *testing.T) {
	rules, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{
		lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC6962, lint.RFC8813, lint.Community,
	}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, s := range specimens(t) {
		t.Run(s.name, func(t *testing.T) {
			cert, err := zx509.ParseCertificate(s.leaf().Raw)
			if err != nil {
				t.Fatal(err)
			}
			passed := 0
			for name, result := range zlint.LintCertificateEx(cert, rules).Results {
				switch result.Status {
				case lint.Pass:
					passed++
				case lint.Reserved, lint.NA, lint.NE:
				case lint.Notice, lint.Warn, lint.Error, lint.Fatal:
					found[name] = true
					if accepted()[name] == "" {
						t.Errorf("%s: %s %s", name, result.Status, result.Details)
					}
				}
			}
			if passed < 40 {
				t.Errorf("only %d lints had anything to say", passed)
			}
		})
	}
	for name := range accepted() {
		if !found[name] {
			t.Errorf("%s is accepted, and nothing has it", name)
		}
	}
}
