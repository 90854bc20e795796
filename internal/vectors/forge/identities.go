package forge

import (
	"fmt"
	"strings"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Identities returns the vectors of names.
func Identities() vectors.File[vectors.Identity] {
	f := vectors.File[vectors.Identity]{About: "Identities, trust domains, services, addresses and hashes in their text form, base64."}
	add := func(class identity.Code, kind, name, text string, want *vectors.IdentityWant) {
		f.Vectors = append(f.Vectors, vectors.Identity{Case: vectors.Case{Name: name, Class: class}, Kind: kind, Text: []byte(text), Want: want})
	}
	for _, g := range goodIdentities() {
		add("", "identity", g.name, g.text, &g.want)
	}
	add("", "trust-domain", "the longest trust domain", strings.Repeat("n", 32)+"."+longDomain(92), &vectors.IdentityWant{
		TrustDomain: strings.Repeat("n", 32) + "." + longDomain(92), Network: strings.Repeat("n", 32), Domain: longDomain(92),
	})
	add("", "service", "the shortest service", "0", nil)
	add("", "service", "the longest service", strings.Repeat("s", 63), nil)
	add("", "hash", "a hash", hashOf("x").String(), nil)
	for _, a := range []string{"10.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::1", "1:0:0:2::3", "localhost", "db-1.example.org", "xn--bro-hoa.example.org", "1.a"} {
		add("", "address", "the address "+a, a, nil)
	}
	for _, a := range []string{
		"", "a@b/c", "0177.0.0.1", "127.1", "2130706433", "::ffff:127.0.0.1", "fe80::1%eth0", "...", "-x-", "DB.example.org", "::0", "2001:DB8::1",
		"01.2.3.4", "1.2.3.4.", "1.2.3.256", "a.1", "1:2:3:4:5:6:7::8", "[::1]", "example.org.", "*.example.org", "../x", "a\x00b", "a\nb",
	} {
		add(identity.Malformed, "address", fmt.Sprintf("the address %q", a), a, nil)
	}
	for _, n := range badNames() {
		add(identity.Malformed, "service", n[0]+" as a service", n[1], nil)
		add(identity.Malformed, "identity", n[0]+" as the service of an identity", "spiffe://production.netget.internal/"+n[1]+"/db-1", nil)
		add(identity.Malformed, "identity", n[0]+" as the node of an identity", "spiffe://production.netget.internal/databaseservice/"+n[1], nil)
		add(identity.Malformed, "trust-domain", n[0]+" as a network", n[1]+".netget.internal", nil)
		add(identity.Malformed, "trust-domain", n[0]+" in a domain", "production.netget."+n[1], nil)
	}
	for _, b := range badIdentities() {
		add(identity.Malformed, "identity", b[0], b[1], nil)
	}
	for _, b := range [][2]string{
		{"a network that begins with a digit", "1production.netget.internal"},
		{"a network of 33 characters", strings.Repeat("n", 33) + ".netget.internal"},
		{"no domain", "production"},
		{"an empty domain", "production."},
		{"a domain of 93 characters", "production." + longDomain(93)},
		{"a domain that reads as an address", "production.10.0.0.1"},
		{"an empty label", "production..internal"},
	} {
		add(identity.Malformed, "trust-domain", b[0], b[1], nil)
	}
	for _, reserved := range []string{"ca", "node", "service"} {
		add(identity.Malformed, "service", "the reserved service "+reserved, reserved, nil)
	}
	for _, b := range badHashes() {
		add(identity.Malformed, "hash", b[0], b[1], nil)
	}
	return f
}

type goodIdentity struct {
	name, text string
	want       vectors.IdentityWant
}

func goodIdentities() []goodIdentity {
	var list []goodIdentity
	for _, g := range []struct{ name, service, node, kind string }{
		{"a service node", "databaseservice", "db-1", "service"},
		{"a registry", "registry", "r1", "registry"},
		{"a client", "client", "carl", "client"},
		{"an operator", "operator", "olga", "operator"},
		{"labels of one digit", "0", "9", "service"},
		{"the longest labels", strings.Repeat("s", 63), strings.Repeat("n", 63), "service"},
	} {
		const td = "production.netget.internal"
		want := vectors.IdentityWant{TrustDomain: td, Network: "production", Domain: "netget.internal", Service: g.service, Node: g.node, Type: g.kind}
		if g.kind == "service" || g.kind == "registry" {
			want.DNSNames = []string{g.node + "." + g.service + "." + td, g.service + "." + td}
		}
		list = append(list, goodIdentity{g.name, "spiffe://" + td + "/" + g.service + "/" + g.node, want})
	}
	return list
}

func badNames() [][2]string {
	return [][2]string{
		{"nothing", ""},
		{"a path upwards", "../x"},
		{"an escaped path", "%2e%2e"},
		{"NUL", "a\x00b"},
		{"a newline", "a\nb"},
		{"a quote", `a"b`},
		{"a single quote", "a'b"},
		{"an asterisk", "*"},
		{"a trailing dot", "a."},
		{"mixed case", "Ab"},
		{"text outside ASCII", "bü"},
		{"300 characters", strings.Repeat("a", 300)},
		{"a parameter", "$1"},
		{"two dollars", "$$"},
		{"a statement's end", "';--"},
		{"a leading dash", "-a"},
		{"a trailing dash", "a-"},
		{"an underscore", "a_b"},
		{"a space", "a b"},
		{"64 characters", strings.Repeat("a", 64)},
	}
}

func badIdentities() [][2]string {
	const td = "production.netget.internal"
	return [][2]string{
		{"another scheme", "https://" + td + "/databaseservice/db-1"},
		{"an upper-case scheme", "SPIFFE://" + td + "/databaseservice/db-1"},
		{"no scheme", td + "/databaseservice/db-1"},
		{"an upper-case host", "spiffe://Production.netget.internal/databaseservice/db-1"},
		{"a port", "spiffe://" + td + ":8438/databaseservice/db-1"},
		{"user info", "spiffe://a@" + td + "/databaseservice/db-1"},
		{"a query", "spiffe://" + td + "/databaseservice/db-1?x"},
		{"a fragment", "spiffe://" + td + "/databaseservice/db-1#x"},
		{"a trailing slash", "spiffe://" + td + "/databaseservice/db-1/"},
		{"a third segment", "spiffe://" + td + "/databaseservice/db-1/x"},
		{"one segment", "spiffe://" + td + "/databaseservice"},
		{"no path", "spiffe://" + td},
		{"an empty segment", "spiffe://" + td + "//db-1"},
		{"a reserved service in an identity", "spiffe://" + td + "/ca/db-1"},
		{"a leading space", " spiffe://" + td + "/databaseservice/db-1"},
		{"no trust domain", "spiffe:///databaseservice/db-1"},
	}
}

func badHashes() [][2]string {
	h := hashOf("x").String()
	return [][2]string{
		{"no hash", ""},
		{"42 characters", h[1:]},
		{"44 characters", h + "A"},
		{"padding", h + "="},
		{"stray bits", strings.Repeat("A", 42) + "B"},
		{"the standard alphabet", "+" + h[1:]},
		{"a newline in a hash", "\n" + h[1:]},
		{"hexadecimal", fmt.Sprintf("%x", [32]byte{})},
	}
}

// longDomain returns a DNS name of n characters.
func longDomain(n int) string {
	return strings.Repeat("a", n-1-45) + "." + strings.Repeat("b", 45)
}
