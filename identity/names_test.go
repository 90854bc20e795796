package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
)

func TestNodeID(t *testing.T) {
	id, err := identity.ParseNodeID("spiffe://production.example.org/databaseservice/db-1")
	if err != nil {
		t.Fatal(err)
	}
	td := id.TrustDomain()
	got := strings.Join([]string{td.String(), td.Network(), td.Domain(), td.CAName(), td.RegistryName(), id.Service(), id.Label(), id.Type().String(), strings.Join(id.DNSNames(), " ")}, "\n")
	want := "production.example.org\nproduction\nexample.org\nca.production.example.org\nregistry.production.example.org\ndatabaseservice\ndb-1\nservice\n" +
		"db-1.databaseservice.production.example.org databaseservice.production.example.org"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if edge, err := identity.ParseNodeID("spiffe://az-09.example.org/0az9/z-a0"); err != nil || edge.String() != "spiffe://az-09.example.org/0az9/z-a0" {
		t.Errorf("the edges of the alphabet: %v", err)
	}
	if _, err := identity.ParseNodeID("spiffe://" + strings.Repeat("x", 5000) + "/a/b"); len(err.Error()) > 400 {
		t.Errorf("a refusal repeats %d bytes of what it refuses", len(err.Error()))
	}
	for service, want := range map[string]identity.NodeType{
		"registry": identity.RegistryNode, "client": identity.ClientNode, "operator": identity.OperatorNode, "x": identity.ServiceNode,
	} {
		id, err := identity.NewNodeID(td, service, "a")
		if err != nil || id.Type() != want || (want != identity.ServiceNode && id.Type().String() != service) {
			t.Errorf("the type of %s is %s, %v", service, id.Type(), err)
		}
		if hasNames := len(id.DNSNames()) != 0; hasNames != (want == identity.ServiceNode || want == identity.RegistryNode) {
			t.Errorf("a %s has the DNS names %v", service, id.DNSNames())
		}
	}
	var zero identity.NodeID
	if !zero.IsZero() || zero.String() != "" || zero.Type() != 0 || zero.Type().String() != "none" || zero.TrustDomain().String() != "" {
		t.Error("the zero identity names something")
	}
	if _, err := identity.NewNodeID(identity.TrustDomain{}, "a", "b"); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("an identity of no network: %v", err)
	}
}

func TestParseNodeIDRefuses(t *testing.T) {
	rows := []string{
		"", "production.netget.internal/a/b", "spiffe://", "https://production.netget.internal/a/b", "SPIFFE://production.netget.internal/a/b", "spiffe:/production.netget.internal/a/b",
		"spiffe://production.netget.internal", "spiffe://production.netget.internal/", "spiffe://production.netget.internal/a",
		"spiffe://production.netget.internal/a/", "spiffe://production.netget.internal//b", "spiffe://production.netget.internal/a/b/",
		"spiffe://production.netget.internal/a/b/c", "spiffe://production.netget.internal/a/b?x", "spiffe://production.netget.internal/a/b#x",
		"spiffe://production.netget.internal:1/a/b", "spiffe://u@production.netget.internal/a/b", "spiffe://Production.netget.internal/a/b",
		"spiffe://production.netget.internal./a/b", "spiffe://production/a/b", "spiffe://.netget.internal/a/b", "spiffe://production..internal/a/b",
		"spiffe://production.netget.internal/a/%62", " spiffe://production.netget.internal/a/b", "spiffe://production.netget.internal/a/b ",
		"spiffe://production.netget.internal/ca/b", "spiffe://production.netget.internal/node/b", "spiffe://production.netget.internal/service/b",
		"spiffe://production.127.0.0.1/a/b", "spiffe://1production.netget.internal/a/b", "spiffe://production-.netget.internal/a/b",
	}
	for _, bad := range badNames {
		rows = append(rows, "spiffe://production.netget.internal/a/"+bad, "spiffe://production.netget.internal/"+bad+"/b", "spiffe://"+bad+".netget.internal/a/b")
	}
	for _, s := range rows {
		if s == "spiffe://a.b.netget.internal/a/b" {
			continue // the network "a" of the domain "b.netget.internal"
		}
		if id, err := identity.ParseNodeID(s); identity.CodeOf(err) != identity.Malformed || !id.IsZero() {
			t.Errorf("%q: got %v, %v, want %s", s, id, err, identity.Malformed)
		}
		if err := new(identity.NodeID).UnmarshalText([]byte(s)); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("UnmarshalText(%q) = %v, want %s", s, err, identity.Malformed)
		}
	}
}

func TestTrustDomainLimits(t *testing.T) {
	long := strings.Repeat("a", 46) + "." + strings.Repeat("a", 45)
	rows := []struct {
		network, domain string
		ok              bool
	}{
		{"a", "b", true},
		{strings.Repeat("a", 32), long, true},
		{strings.Repeat("a", 33), "b", false},
		{"a", long + "a", false},
		{"9a", "b", false},
		{"-a", "b", false},
		{"a.b", "c", false},
		{"a", "", false},
		{"a", "b.", false},
		{"a", "B", false},
		{"a", "10.0.0.1", false},
		{"a", strings.Repeat("b", 64), false},
	}
	for _, row := range rows {
		td, err := identity.NewTrustDomain(row.network, row.domain)
		if (err == nil) != row.ok || (!row.ok && identity.CodeOf(err) != identity.Malformed) || td.IsZero() == row.ok {
			t.Errorf("%q, %q: got %v, %v", row.network, row.domain, td, err)
		}
	}
	// The longest names still make a DNS name of at most 253 characters.
	td, err := identity.NewTrustDomain(strings.Repeat("a", 32), long)
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.NewNodeID(td, strings.Repeat("b", 63), strings.Repeat("c", 63))
	if err != nil || len(id.DNSNames()[0]) > 253 {
		t.Errorf("got %d characters, %v", len(id.DNSNames()[0]), err)
	}
}

func TestFoldName(t *testing.T) {
	if got := identity.FoldName("DatabaseService-ÄZ9"); got != "databaseservice-Äz9" {
		t.Errorf("got %s", got)
	}
}

func TestHash(t *testing.T) {
	h := identity.Hash{0: 255, 31: 1}
	text, err := json.Marshal(h)
	if err != nil || len(text) != 45 {
		t.Fatalf("got %s, %v", text, err)
	}
	var again identity.Hash
	if err := json.Unmarshal(text, &again); err != nil || again != h || h.IsZero() || !(identity.Hash{}).IsZero() {
		t.Errorf("got %s, %v", again, err)
	}
	good := h.String()
	for _, s := range []string{"", good[:42], good + "A", good + "=", good[:42] + "F", strings.Repeat("+", 42) + "A", good[:20] + "\n" + good[21:], good[:20] + " " + good[21:]} {
		if _, err := identity.ParseHash(s); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("ParseHash(%q) = %v, want %s", s, err, identity.Malformed)
		}
		if err := new(identity.Hash).UnmarshalText([]byte(s)); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("UnmarshalText(%q) = %v, want %s", s, err, identity.Malformed)
		}
	}
}

func TestIsAddress(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "::1", "2001:db8::1", "a", "example.org", "1.a", "a-b.c-d", "xn--bcher-kva.example"} {
		if !identity.IsAddress(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range badAddresses {
		if identity.IsAddress(s) {
			t.Errorf("%q is accepted", s)
		}
	}
}
