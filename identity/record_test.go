package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// edits spoils a payload before it is encoded.
type edits []func(map[string]any)

// spoiled is one bad object: its payload, or the text of it, was changed.
type spoiled struct {
	name string
	edit edits
	text func(string) string // after encoding
	want identity.Code
}

func replace(old, with string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic("nothing to replace: " + old)
		}
		return strings.Replace(s, old, with, 1)
	}
}

func pairs(n, size int) map[string]any {
	m := map[string]any{}
	for i := range n {
		m[fmt.Sprintf("k%02d", i)] = strings.Repeat("x", size)
	}
	return m
}

func endpoints(n int) []any {
	list := []any{}
	for i := range n {
		list = append(list, map[string]any{"address": "10.0.0.1", "name": fmt.Sprintf("e%d", i), "port": 1, "protocol": "tcp"})
	}
	return list
}

func recordRows() []spoiled {
	t := now.Unix()
	one := func(path string, value any) edits { return edits{set(path, value)} }
	var rows []spoiled
	add := func(want identity.Code, name string, edit edits) {
		rows = append(rows, spoiled{name: name, edit: edit, want: want})
	}
	text := func(name string, change func(string) string) {
		rows = append(rows, spoiled{name: name, text: change, want: identity.Malformed})
	}

	// What every payload may not be.
	for _, member := range []string{"aud", "check", "endpoints", "epoch", "exp", "heartbeat", "iat", "metadata", "network", "node", "sequence", "service", "state", "v"} {
		add(identity.Malformed, "a record without "+member, one(member, absent{}))
		add(identity.Malformed, "null as "+member, one(member, nil))
	}
	for _, member := range []string{"check.path", "endpoints.0.name", "heartbeat.anchor", "metadata.zone"} {
		add(identity.Malformed, "null as "+member, one(member, nil))
	}
	for _, number := range []string{"1.0", "1e0", `"1"`, "-0", "-5", "18446744073709551616", "9007199254740992", "01", "true", "+1", "0x1", "NaN", "[]"} {
		add(identity.Malformed, "the number "+number, one("sequence", raw(number)))
	}
	add(identity.Malformed, "another version", one("v", 2))
	add(identity.Malformed, "version 0", one("v", 0))
	add(identity.Malformed, "an unknown member", one("extra", 1))
	add(identity.Malformed, "an unknown member of an endpoint", one("endpoints.0.extra", 1))
	add(identity.Malformed, "a member without ASCII", one("ä", 1))
	text("a repeated member", replace(`"v":1}`, `"v":1,"v":1}`))
	text("a member in another case", replace(`"v":1`, `"V":1`))
	text("members out of order", replace(`"state":"active","v":1`, `"v":1,"state":"active"`))
	text("white space", replace(`"v":1`, `"v": 1`))
	text("trailing data", func(s string) string { return s + "{}" })
	text("a trailing newline", func(s string) string { return s + "\n" })
	text("a byte-order mark", func(s string) string { return "\uFEFF" + s })
	text("an array", func(s string) string { return "[" + s + "]" })
	text("nothing", func(string) string { return "" })
	text("a bare string", func(string) string { return `"x"` })
	text("an end within an object", func(s string) string { return s[:len(s)-1] })
	text("an end within a string", func(s string) string { return s[:10] })
	text("a member without value", replace(`"v":1`, `"v"`))
	text("an array that does not end", replace(`}],"epoch"`, `},"epoch"`))
	text("deep nesting", replace(`"metadata":{`, `"metadata":{"a":[[[1]]],`))
	text("a needless escape", replace(`"zone":"a"`, `"zone":"\u0061"`))
	text("an escaped slash", replace(`"zone":"a"`, `"zone":"\/"`))
	text("an escaped newline", replace(`"zone":"a"`, `"zone":"\n"`))
	text("a lone surrogate", replace(`"zone":"a"`, `"zone":"\ud800"`))
	text("an escape at the end", replace(`"v":1}`, `"v":"\`))
	text("invalid UTF-8", replace(`"zone":"a"`, "\"zone\":\"\xff\""))
	text("an overlong slash", replace(`"zone":"a"`, "\"zone\":\"\xc0\xaf\""))
	text("a surrogate in UTF-8", replace(`"zone":"a"`, "\"zone\":\"\xed\xa0\x80\""))
	for _, r := range []rune{0, 0x1F, 0x7F, 0x85, 0x9F, 0x2028, 0x2029, 0xFEFF, 0x202A, 0x202E, 0x2066, 0x2069, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF} {
		text(fmt.Sprintf("the character U+%04X", r), replace(`"zone":"a"`, `"zone":"`+string(r)+`"`))
	}

	// Names.
	for _, bad := range badNames {
		add(identity.Malformed, "the network "+bad, one("network", bad))
		add(identity.Malformed, "the service "+bad, one("service", bad))
		add(identity.Malformed, "the node "+bad, one("node", "spiffe://production.netget.internal/databaseservice/"+bad))
		add(identity.Malformed, "an endpoint called "+bad, one("endpoints.0.name", bad))
	}
	for _, service := range []string{"ca", "node", "service"} {
		add(identity.Malformed, "the reserved service "+service, one("service", service))
	}
	for _, address := range badAddresses {
		add(identity.Malformed, "the address "+address, one("endpoints.0.address", address))
	}
	for _, key := range []string{"", "Zone", "-x", ".x", "_x", "a b", "ü", "a/b", "$1", strings.Repeat("k", 64)} {
		add(identity.Malformed, fmt.Sprintf("the metadata key %q", key), one("metadata", map[string]any{key: "x"}))
	}

	// Enumerations, texts, hashes.
	add(identity.Malformed, "another protocol", one("endpoints.1.protocol", "sctp"))
	add(identity.Malformed, "an unknown state", one("state", "up"))
	add(identity.Malformed, "an unknown check", one("check.type", "icmp"))
	add(identity.Malformed, "a check of a udp endpoint", edits{set("endpoints.0.protocol", "udp"), set("check.type", "tcp")})
	for _, path := range []string{"x", "/a?b", "/a#b", "/%2e", "/ü", "/a b"} {
		add(identity.Malformed, "the check path "+path, one("check.path", path))
	}
	add(identity.Malformed, "an audience without prefix", one("aud", b64u(make([]byte, 32))))
	add(identity.Malformed, "a short audience", one("aud", "netget:AAAA"))
	for name, anchor := range map[string]string{
		"short": strings.Repeat("A", 42), "long": strings.Repeat("A", 44), "empty": "",
		"with stray bits": strings.Repeat("A", 42) + "B", "padded": strings.Repeat("A", 42) + "=", "in the standard alphabet": strings.Repeat("+", 42) + "A",
	} {
		add(identity.Malformed, "an anchor that is "+name, one("heartbeat.anchor", anchor))
	}

	// Counts, lengths, ranges.
	add(identity.Limits, "sequence 0", one("sequence", 0))
	add(identity.Limits, "an operator's sequence", one("sequence", 1<<53-1))
	add(identity.Limits, "epoch 0", one("epoch", 0))
	add(identity.Limits, "no endpoints", one("endpoints", []any{}))
	add(identity.Limits, "nine endpoints", one("endpoints", endpoints(9)))
	add(identity.Limits, "two endpoints of one name", one("endpoints.1.name", "default"))
	add(identity.Limits, "port 0", one("endpoints.1.port", 0))
	add(identity.Limits, "port 65536", one("endpoints.1.port", 65536))
	add(identity.Limits, "a metadata value of 1,025 bytes", one("metadata.zone", strings.Repeat("x", 1025)))
	add(identity.Limits, "33 pairs of metadata", one("metadata", pairs(33, 1)))
	add(identity.Limits, "4,097 bytes of metadata", edits{set("metadata", pairs(4, 1021)), set("metadata.a", "")})
	add(identity.Limits, "heartbeat interval 0", one("heartbeat.interval", 0))
	add(identity.Limits, "heartbeat interval 3601", one("heartbeat.interval", 3601))
	add(identity.Limits, "no heartbeats", one("heartbeat.count", 0))
	add(identity.Limits, "8,641 heartbeats", one("heartbeat.count", 8641))
	add(identity.Limits, "heartbeats that end before the record", one("heartbeat.count", 239))
	add(identity.Limits, "check interval 1", one("check.interval", 1))
	add(identity.Limits, "check interval 3601", one("check.interval", 3601))
	add(identity.Limits, "a check path of 257 characters", one("check.path", "/"+strings.Repeat("x", 256)))

	// Network, node, right, time.
	add(identity.WrongNetwork, "another network's name", one("network", "development"))
	add(identity.WrongNetwork, "the same name and another nid", one("aud", "netget:"+identity.NID(testca.New("production", "b", now).Root).String()))
	add(identity.Binding, "another node", one("node", "spiffe://production.netget.internal/databaseservice/db-2"))
	add(identity.Binding, "a node of another network", one("node", "spiffe://development.netget.internal/databaseservice/db-1"))
	add(identity.Denied, "another service", one("service", "billing"))
	add(identity.Denied, "the service registry", one("service", "registry"))
	add(identity.BadTime, "an end before its beginning", one("exp", t-1))
	add(identity.BadTime, "an end at its beginning", one("exp", t))
	add(identity.BadTime, "a life of more than a day", edits{set("exp", t+86401), set("heartbeat.count", 8640)})
	add(identity.BadTime, "an end after the certificate's", edits{set("iat", t+30), set("exp", t+86401), set("heartbeat.count", 8640)})
	add(identity.BadTime, "a beginning before the certificate's", edits{set("iat", t-61), set("exp", t+3000), set("epoch", t-61)})
	add(identity.BadTime, "an epoch later than iat by 61 s", one("epoch", t+61))
	add(identity.BadTime, "a beginning in the future", edits{set("iat", t+61)})
	return rows
}

// badNames cannot stand where a label can.
var badNames = []string{
	"", "Database", "DATABASE", "../x", "%2e%2e", "a\u0000b", "a\nb", `a"b`, "a'b", "*", "a.", ".a", "a.b", "ä", "$1", "$$", "';--",
	"-a", "a-", "a_b", "a b", "a/b", "a@b", "a:1", "a?b", "a#b", strings.Repeat("a", 64), strings.Repeat("a", 300),
}

var badAddresses = []string{
	"", "a@b/c", "0177.0.0.1", "127.1", "2130706433", "0x7f000001", "::ffff:127.0.0.1", "::ffff:7f00:1", "fe80::1%eth0", "...", "-x-",
	"Example.org", "example.org.", "example..org", "exa_mple.org", "[::1]", "::0001", "2001:DB8::1", "0:0:0:0:0:0:0:1", "2001:db8:0:0:1:0:0:1",
	"10.0.0.1:80", "10.0.0.1/8", "10.0.0.256", "http://a", "a b", "bücher.example", strings.Repeat("a.", 126) + "aa", "1.2.3.4.5",
}

func TestRefusesRecord(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	if _, err := n.open(n.token(identity.RecordTyp, jcs(n.record()))); err != nil {
		t.Fatalf("the good record is refused: %v", err)
	}
	for _, row := range recordRows() {
		t.Run("refuses "+row.name, func(t *testing.T) {
			doc := n.record()
			for _, edit := range row.edit {
				edit(doc)
			}
			payload := jcs(doc)
			if row.text != nil {
				payload = row.text(payload)
			}
			if _, err := n.open(n.token(identity.RecordTyp, payload)); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// What stands at the very edge of a rule is accepted.
func TestAcceptsRecord(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	t0 := now.Unix()
	rows := []struct {
		name string
		edit edits
	}{
		{"the greatest sequence", edits{set("sequence", 1<<53-2)}},
		{"eight endpoints", edits{set("endpoints", endpoints(8))}},
		{"the last port", edits{set("endpoints.0.port", 65535)}},
		{"4,096 bytes of metadata", edits{set("metadata", pairs(4, 1021))}},
		{"a value of 1,024 bytes", edits{set("metadata.zone", strings.Repeat("x", 1024))}},
		{"32 pairs", edits{set("metadata", pairs(32, 1))}},
		{"no metadata", edits{set("metadata", map[string]any{})}},
		{"a metadata key of 63 characters", edits{set("metadata", map[string]any{strings.Repeat("k", 63): ""})}},
		{"quotes, backslashes and other scripts", edits{set("metadata.zone", `"\ <&> Ω 日本 😀 `+"\uFFFD")}},
		{"heartbeats to the very end", edits{set("heartbeat.count", 240), set("heartbeat.interval", 15)}},
		{"a heartbeat a second", edits{set("heartbeat.count", 3600), set("heartbeat.interval", 1)}},
		{"every character of a metadata key", edits{set("metadata", map[string]any{"0a9.z_y-x": ""})}},
		{"one heartbeat an hour", edits{set("heartbeat.count", 1), set("heartbeat.interval", 3600)}},
		{"a check path of 256 characters", edits{set("check", map[string]any{"interval": 2, "path": "/" + strings.Repeat("~", 255), "type": "https"})}},
		{"a check interval of an hour", edits{set("check.interval", 3600)}},
		{"a life of a day to the certificate's end", edits{set("exp", t0+86400), set("heartbeat.count", 5760)}},
		{"a beginning with the certificate", edits{set("iat", t0-60), set("exp", t0+3000)}},
		{"an epoch 60 s later than iat", edits{set("epoch", t0+60)}},
		{"a beginning 60 s in the future", edits{set("iat", t0+60)}},
		{"a draining node", edits{set("state", "draining")}},
		{"an IPv6 address", edits{set("endpoints.0.address", "2001:db8::1")}},
		{"a DNS name of 253 characters", edits{set("endpoints.0.address", strings.Repeat("a.", 126)+"a")}},
		{"a name whose last label begins with a letter", edits{set("endpoints.0.address", "0x7f.a1")}},
	}
	for _, row := range rows {
		t.Run("accepts "+row.name, func(t *testing.T) {
			doc := n.record()
			for _, edit := range row.edit {
				edit(doc)
			}
			if _, err := n.open(n.token(identity.RecordTyp, jcs(doc))); err != nil {
				t.Error(err)
			}
		})
	}
}

// The bound on a record's life is its own, not only the certificate's.
func TestCheckFormBoundsTheLife(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	r, _ := newRecord(t, n.id)
	r.Aud, r.Network, r.Node, r.Service, r.V = identity.Audience(n.b.NID()), "production", n.id, n.id.Service(), 1
	r.Heartbeat.Interval = 3600
	r.Exp = r.IAT + 86400
	if err := r.CheckForm(); err != nil {
		t.Errorf("a day: %v", err)
	}
	r.Exp++
	if err := r.CheckForm(); identity.CodeOf(err) != identity.BadTime {
		t.Errorf("a day and a second: got %v, want %s", err, identity.BadTime)
	}
}

func TestRefusesRecordOfOthers(t *testing.T) {
	for _, service := range []string{"client", "operator"} {
		n := newNetwork(t, service, "one")
		if _, err := n.open(n.token(identity.RecordTyp, jcs(n.record()))); identity.CodeOf(err) != identity.Denied {
			t.Errorf("a record by a %s: got %v, want %s", service, err, identity.Denied)
		}
	}
	n := newNetwork(t, "registry", "one")
	if _, err := n.open(n.token(identity.RecordTyp, jcs(n.record()))); err != nil {
		t.Errorf("a registry's own record: %v", err)
	}
	doc := n.record()
	doc["service"] = "databaseservice"
	if _, err := n.open(n.token(identity.RecordTyp, jcs(doc))); identity.CodeOf(err) != identity.Denied {
		t.Errorf("a registry's record for another service: got %v, want %s", err, identity.Denied)
	}
}

func TestStatementTime(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	s, err := n.open(n.token(identity.RecordTyp, jcs(n.record())))
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name string
		at   time.Duration
		want identity.Code
	}{
		{"61 s before its beginning", -61 * time.Second, identity.BadTime},
		{"60 s before its beginning", -60 * time.Second, ""},
		{"at its end", time.Hour, ""},
		{"59 s after its end", time.Hour + 59*time.Second, ""},
		{"60 s after its end", time.Hour + 60*time.Second, identity.BadTime},
	}
	for _, row := range rows {
		if err := s.CheckTime(now.Add(row.at)); identity.CodeOf(err) != row.want {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
	if got, want := identity.RememberUntil(now.Unix()), now.Unix()+86580; got != want {
		t.Errorf("RememberUntil = %d, want %d", got, want)
	}
}

func TestStatementOrder(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	signed := func(epoch, sequence int64, zone string) *identity.Statement {
		doc := n.record()
		doc["epoch"], doc["sequence"] = epoch, sequence
		doc["metadata"] = map[string]any{"zone": zone}
		s, err := n.open(n.token(identity.RecordTyp, jcs(doc)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b, c := signed(1, 9, "a"), signed(2, 1, "a"), signed(2, 2, "a")
	if a.Compare(b) >= 0 || b.Compare(c) >= 0 || a.Compare(c) >= 0 || a.Compare(a) != 0 {
		t.Error("statements are not ordered by epoch, then sequence")
	}
	d := signed(2, 2, "b")
	rc, rd := c.RID(), d.RID()
	if got, want := c.Compare(d), strings.Compare(string(rc[:]), string(rd[:])); got != want || got == 0 {
		t.Errorf("of one pair the greater rid: got %d, want %d", got, want)
	}
	if c.Epoch() != 2 || c.Sequence() != 2 || c.IssuedAt() != now.Unix() || c.ExpiresAt() != now.Unix()+3600 || c.IsTombstone() || c.ByOperator() {
		t.Errorf("the statement tells other numbers than were signed")
	}
}
