package forge

import (
	"fmt"
	"strings"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

func badHeaders() []vectors.Record {
	const alg, typ = `"alg":"ES256"`, `"typ":"netget-record+jws"`
	return bad(identity.BadHeader, []row{
		{"alg none", header(alg, `"alg":"none"`)},
		{"alg HS256, keyed with the public key", then(header(alg, `"alg":"HS256"`), token(hmacWithPublicKey))},
		{"the algorithm of another kind of key", header(alg, `"alg":"EdDSA"`)},
		{"the typ of a head", header(typ, `"typ":"netget-head+jws"`)},
		{"an unknown typ", header(typ, `"typ":"JWT"`)},
		{"typ missing", header(typ+",", ``)},
		{"a critical extension, though an empty list", header(alg, alg+`,"crit":[]`)},
		{"b64 false", header(alg, alg+`,"b64":false`)},
		{"a key by reference (jku)", header(alg, alg+`,"jku":"https://example.org/keys"`)},
		{"a key inside (jwk)", header(alg, alg+`,"jwk":{}`)},
		{"a key id (kid)", header(alg, alg+`,"kid":"1"`)},
		{"alg twice", header(alg, alg+","+alg)},
		{"a leading space", header(`{"alg"`, ` {"alg"`)},
		{"a space inside", header(`"alg":`, `"alg": `)},
		{"another order of members", header(alg+","+typ, typ+","+alg)},
		{"trailing data in the header", header(`"}`, `"}x`)},
		{"an escaped letter", header(`"alg"`, `"\u0061lg"`)},
		{"a thumbprint of 42 characters", func(c *claim) {
			c.header = func(h string) string { return h[:len(h)-3] + h[len(h)-2:] }
		}},
		{"an empty header", func(c *claim) { c.header = func(string) string { return "" } }},
		{"an array in place of the header", func(c *claim) { c.header = func(h string) string { return "[" + h + "]" } }},
	})
}

func badEnvelopes() []vectors.Record {
	parts := func(f func(h, p, s string) string) edit {
		return token(func(t string) string {
			p := strings.Split(t, ".")
			return f(p[0], p[1], p[2])
		})
	}
	list := bad(identity.Malformed, []row{
		{"the flattened JSON serialisation", parts(func(h, p, s string) string {
			return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p, h, s)
		})},
		{"the general JSON serialisation", parts(func(h, p, s string) string {
			return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p, h, s)
		})},
		{"the general JSON serialisation with two signatures", parts(func(h, p, s string) string {
			return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q},{"protected":%q,"signature":%q}]}`, p, h, s, h, s)
		})},
		{"a newline inside the header", parts(func(h, p, s string) string { return h[:4] + "\n" + h[4:] + "." + p + "." + s })},
		{"a newline inside the payload", parts(func(h, p, s string) string { return h + "." + p[:4] + "\n" + p[4:] + "." + s })},
		{"a carriage return inside the signature", parts(func(h, p, s string) string { return h + "." + p + "." + s[:4] + "\r" + s[4:] })},
		{"a newline at the end", token(func(t string) string { return t + "\n" })},
		{"padding after the signature", token(func(t string) string { return t + "==" })},
		{"non-zero trailing bits in the signature", token(strayBits)},
		{"the standard alphabet in the signature", parts(func(h, p, s string) string {
			return h + "." + p + "." + s[:len(s)-4] + "+/+/"
		})},
		{"four parts", token(func(t string) string { return t + "." })},
		{"two parts", parts(func(h, p, _ string) string { return h + "." + p })},
		{"nothing", token(func(string) string { return "" })},
	})
	return append(list, bad(identity.Limits, []row{
		{"a token of 9,000 bytes", token(func(t string) string { return t + strings.Repeat("A", 9000-len(t)) })},
		{"a token of a million dots", token(func(string) string { return strings.Repeat(".", 1_000_000) })},
	})...)
}

func badPayloads() []vectors.Record {
	const last = `,"v":1}`
	return bad(identity.Malformed, []row{
		{"a member twice", text(`"sequence":1`, `"sequence":1,"sequence":1`)},
		{"a member in another case", text(`"epoch"`, `"Epoch"`)},
		{"an unknown member", text(`,"v":1`, `,"v":1,"w":1`)},
		{"an unknown member inside an endpoint", text(`"protocol":"tcp"`, `"protocol":"tcp","weight":1`)},
		{"a missing member", text(`"state":"active",`, ``)},
		{"a missing member of the heartbeat", text(`,"interval":15`, ``)},
		{"null for a string", text(`"state":"active"`, `"state":null`)},
		{"null for a list", func(c *claim) {
			record(func(r *identity.Record) { r.Endpoints = nil })(c)
		}},
		{"null for a map", record(func(r *identity.Record) { r.Metadata = nil })},
		{"null for an object", text(`{"interval":10,"path":"","type":"tcp"}`, `null`)},
		{"null in a map", value(`null`)},
		{"1.0 for an integer", text(`"sequence":1`, `"sequence":1.0`)},
		{"1e0 for an integer", text(`"sequence":1`, `"sequence":1e0`)},
		{"a number as a string", text(`"sequence":1`, `"sequence":"1"`)},
		{"a string as a number", value(`1`)},
		{"a leading zero", text(`"sequence":1`, `"sequence":01`)},
		{"-0", text(`"sequence":1`, `"sequence":-0`)},
		{"-5", text(`"sequence":1`, `"sequence":-5`)},
		{"2^53", text(`"sequence":1`, `"sequence":9007199254740992`)},
		{"2^64", text(`"sequence":1`, `"sequence":18446744073709551616`)},
		{"U+007F in a string", value("\"\x7f\"")},
		{"U+0085 in a string", value("\"\u0085\"")},
		{"U+2028 in a string", value("\"\u2028\"")},
		{"U+202E in a string", value("\"\u202e\"")},
		{"U+2066 in a string", value("\"\u2066\"")},
		{"U+FEFF in a string", value("\"\ufeff\"")},
		{"a non-character in a string", value("\"\ufdd0\"")},
		{"a control character in a string", value("\"\x01\"")},
		{"a control character, escaped", value(`"\u0001"`)},
		{"a needless escape", value(`"\u0044atabase"`)},
		{"a needless escape of the solidus", value(`"a\/b"`)},
		{"invalid UTF-8", value("\"\xff\"")},
		{"an overlong encoding", value("\"\xc1\x81\"")},
		{"a lone surrogate, escaped", value(`"\ud800"`)},
		{"a lone surrogate, raw", value("\"\xed\xa0\x80\"")},
		{"trailing data", text(last, last+" ")},
		{"a second object", text(last, last+"{}")},
		{"a byte-order mark", text(`{"aud"`, "\ufeff{\"aud\"")},
		{"white space", text(`"sequence":1`, `"sequence": 1`)},
		{"members out of order", text(`"sequence":1,"service":"databaseservice"`, `"service":"databaseservice","sequence":1`)},
		{"metadata out of order", text(`"name":"Database","zone":"a"`, `"zone":"a","name":"Database"`)},
		{"an array as payload", func(c *claim) { c.payload = []byte(`[` + string(c.payload) + `]`) }},
		{"an empty payload", func(c *claim) { c.payload = nil }},
		{"deep nesting", value(`[[[[[]]]]]`)},
		{"v = 2", text(`"v":1`, `"v":2`)},
	})
}

func badFields() []vectors.Record {
	rows := []row{
		{"an upper-case network", text(`"network":"production"`, `"network":"Production"`)},
		{"an upper-case service", text(`"service":"databaseservice"`, `"service":"Databaseservice"`)},
		{"an upper-case node", text(`/databaseservice/db-1"`, `/databaseservice/DB-1"`)},
		{"a reserved service", text(`"service":"databaseservice"`, `"service":"node"`)},
		{"an upper-case endpoint name", record(func(r *identity.Record) { r.Endpoints[0].Name = "Default" })},
		{"an upper-case metadata key", record(func(r *identity.Record) { r.Metadata["Zone"] = "a" })},
		{"a metadata key with a leading dash", record(func(r *identity.Record) { r.Metadata["-zone"] = "a" })},
		{"a metadata key with a space", record(func(r *identity.Record) { r.Metadata["zo ne"] = "a" })},
		{"an empty metadata key", record(func(r *identity.Record) { r.Metadata[""] = "x" })},
		{"a metadata key of 64 characters", record(func(r *identity.Record) { r.Metadata[strings.Repeat("k", 64)] = "x" })},
		{"a short anchor", func(c *claim) {
			anchor := newChain(c.id, chainLength).Anchor().String()
			text(anchor, anchor[1:])(c)
		}},
		{"an audience that is none", text(`"aud":"netget:`, `"aud":"network:`)},
		{"an audience with a short nid", text(`"aud":"netget:`, `"aud":"netget:A`)},
		{"an unknown state", text(`"state":"active"`, `"state":"down"`)},
		{"an unknown protocol", record(func(r *identity.Record) { r.Endpoints[0].Protocol = "sctp"; r.Check.Type = identity.CheckNone })},
		{"an unknown kind of check", text(`"type":"tcp"`, `"type":"icmp"`)},
		{"a check of a udp endpoint", record(func(r *identity.Record) { r.Endpoints[0].Protocol = "udp" })},
		{"a check path that is not absolute", record(func(r *identity.Record) { r.Check.Path = "health" })},
		{"a check path with a query", record(func(r *identity.Record) { r.Check.Path = "/health?x" })},
	}
	for _, a := range []string{
		"a@b/c", "0177.0.0.1", "127.1", "2130706433", "0x7f000001", "::ffff:127.0.0.1", "fe80::1%eth0", "...", "-x-", "", "DB.example.org",
		"2001:DB8::1", "2001:db8:0:0:0:0:0:1", "[::1]", "db.example.org.", "a..b", "a_b", "10.0.0.1:80", "büro.example.org",
		strings.Repeat("a.", 127) + "b", strings.Repeat("a", 64) + ".org",
	} {
		rows = append(rows, row{fmt.Sprintf("the address %.40q", a), address(a)})
	}
	for _, k := range []string{
		"../x", "%2e%2e", "a\x00b", "a\nb", `a"b`, "a'b", "*", "Ab", "bü", strings.Repeat("a", 300), "$1", "$$", "';--",
	} {
		rows = append(rows, row{fmt.Sprintf("the metadata key %.40q", k), metadataKey(k)})
	}
	return bad(identity.Malformed, rows)
}

func badCounts() []vectors.Record {
	return bad(identity.Limits, []row{
		{"sequence 0", text(`"sequence":1`, `"sequence":0`)},
		{"a node's record with the operators' sequence", text(`"sequence":1`, `"sequence":9007199254740991`)},
		{"epoch 0", record(func(r *identity.Record) { r.Epoch = 0 })},
		{"no endpoint", record(func(r *identity.Record) { r.Endpoints = []identity.Endpoint{} })},
		{"nine endpoints", record(func(r *identity.Record) {
			for i := range 8 {
				r.Endpoints = append(r.Endpoints, identity.Endpoint{Address: "10.0.0.1", Name: fmt.Sprint("e", i), Port: 1, Protocol: "tcp"})
			}
		})},
		{"twice the same endpoint name", record(func(r *identity.Record) { r.Endpoints = append(r.Endpoints, r.Endpoints[0]) })},
		{"port 0", text(`"port":5432`, `"port":0`)},
		{"port 65536", text(`"port":5432`, `"port":65536`)},
		{"a metadata value of 1,025 bytes", record(func(r *identity.Record) { r.Metadata["name"] = strings.Repeat("x", 1025) })},
		{"a metadata value of 1,025 bytes in 513 characters", record(func(r *identity.Record) { r.Metadata["name"] = strings.Repeat("ü", 512) + "x" })},
		{"33 pairs of metadata", record(func(r *identity.Record) {
			for i := range 31 {
				r.Metadata[fmt.Sprint("k", i)] = "x"
			}
		})},
		{"metadata of 4,097 bytes", record(func(r *identity.Record) {
			r.Metadata = map[string]string{"e": strings.Repeat("x", 4)}
			for _, k := range []string{"a", "b", "c", "d"} {
				r.Metadata[k] = strings.Repeat("x", 1022)
			}
		})},
		{"a heartbeat interval of 0", text(`"interval":15`, `"interval":0`)},
		{"a heartbeat interval of 3,601 s", text(`"interval":15`, `"interval":3601`)},
		{"a heartbeat count of 0", text(`"count":1440`, `"count":0`)},
		{"a heartbeat count of 8,641", text(`"count":1440`, `"count":8641`)},
		{"heartbeats that end before the record", text(`"count":1440`, `"count":1439`)},
		{"a check interval of 1 s", text(`"interval":10`, `"interval":1`)},
		{"a check interval of 3,601 s", text(`"interval":10`, `"interval":3601`)},
		{"a check path of 257 bytes", record(func(r *identity.Record) { r.Check.Path = "/" + strings.Repeat("x", 256) })},
	})
}
