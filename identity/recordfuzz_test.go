package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzRecord signs what comes, so that all behind the signature is reached, and
// holds the verdict against a second formulation of docs/protocol.md section 4.
func FuzzRecord(f *testing.F) {
	n := newNetwork(f, "databaseservice", "db-1")
	f.Add(jcs(n.record()), false)
	f.Add(jcs(n.tombstone()), true)
	for _, row := range recordRows() {
		doc := n.record()
		for _, edit := range row.edit {
			edit(doc)
		}
		f.Add(jcs(doc), false)
	}
	for path, values := range boundaries() {
		for _, value := range values {
			doc, tombstone := n.record(), n.tombstone()
			set(path, value)(doc)
			f.Add(jcs(doc), false)
			if !strings.Contains(path, ".") {
				set(path, value)(tombstone)
				f.Add(jcs(tombstone), true)
			}
		}
	}
	tokens, _ := vectorTokens(f)
	for _, token := range tokens {
		if parts := strings.Split(token, "."); len(parts) == 3 && len(token) < 8192 {
			payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
			f.Add(string(payload), strings.Contains(string(payload), `"sequence"`) && !strings.Contains(string(payload), `"check"`))
		}
	}
	f.Fuzz(func(t *testing.T, payload string, tombstone bool) {
		typ, naive := identity.RecordTyp, n.naiveRecord
		if tombstone {
			typ, naive = identity.TombstoneTyp, n.naiveTombstone
		}
		if len(payload) > 5500 {
			return // the gate refuses it before
		}
		s, err := n.open(n.token(typ, payload))
		if want := naive(payload); want != (err == nil) {
			t.Fatalf("the text says %v of %s: %v", want, payload, err)
		}
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if s.Node() != n.id || s.IsTombstone() != tombstone || s.ByOperator() {
			t.Errorf("accepted %s as of %s", payload, s.Node())
		}
		if r, ok := s.Record(); ok {
			again, err := identity.MarshalCanonical(r)
			if err != nil || string(again) != payload {
				t.Errorf("%s encodes as %s, %v", payload, again, err)
			}
		}
	})
}

// boundaries are values on both sides of each limit, by their member.
func boundaries() map[string][]any {
	t := now.Unix()
	text := func(n int) string { return strings.Repeat("x", n) }
	return map[string][]any{
		"exp":                {t, t + 1, t + 3600, t + 3601, t + 86399, t + 86400, t + 86401, t + 86519, t + 86520, t + 86521, t - 60, t - 59},
		"iat":                {t + 60, t + 61, t - 3600, t - 3661, t - 82800, t - 82801},
		"epoch":              {0, 1, t + 60, t + 61, int64(maxInt)},
		"sequence":           {0, 1, int64(maxInt - 1), int64(maxInt), int64(maxInt + 1)},
		"v":                  {0, 1, 2},
		"heartbeat.count":    {0, 1, 239, 240, 8640, 8641},
		"heartbeat.interval": {0, 1, 14, 15, 3600, 3601},
		"check.interval":     {1, 2, 3600, 3601},
		"check.path":         {"/" + text(255), "/" + text(256), "x", "/a b"},
		"endpoints.0.port":   {0, 1, 65535, 65536},
		"endpoints.0.name":   {text(63), text(64), "admin"},
		"endpoints":          {endpoints(0), endpoints(8), endpoints(9)},
		"metadata":           {pairs(32, 1), pairs(33, 1), pairs(4, 1021), pairs(4, 1022), map[string]any{text(63): ""}, map[string]any{text(64): ""}},
		"metadata.zone":      {text(1024), text(1025), "\u0080", "\u00a0"},
	}
}

var (
	keyText  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	pathText = regexp.MustCompile(`^(/[A-Za-z0-9/._~-]{0,255})?$`)
)

// A naiveDoc is a payload as JSON tells it; its questions are about one member.
type naiveDoc map[string]any

func (d naiveDoc) text(name string) string {
	s, ok := d[name].(string)
	if !ok {
		return "\x00" // of no grammar
	}
	return s
}

// in reports whether a member is an integer from least to most.
func (d naiveDoc) in(name string, least, most int64) bool {
	i, ok := d[name].(json.Number)
	if !ok {
		return false
	}
	v, err := i.Int64()
	return err == nil && v >= least && v <= most
}

func (d naiveDoc) number(name string) int64 {
	i, _ := d[name].(json.Number)
	v, _ := i.Int64()
	return v
}

func (d naiveDoc) child(name string) naiveDoc {
	m, _ := d[name].(map[string]any)
	return m
}

// has reports whether these are the members, all of them and no other.
func (d naiveDoc) has(names ...string) bool {
	return slices.Equal(slices.Sorted(maps.Keys(d)), names)
}

// naivePayload decodes canonical JSON, or says that it is none.
func naivePayload(payload string) (naiveDoc, bool) {
	v, ok := naiveCanonical(payload)
	m, isObject := v.(map[string]any)
	return m, ok && isObject
}

const maxInt = 1<<53 - 1

func (n *network) naiveRecord(payload string) bool {
	d, ok := naivePayload(payload)
	if !ok || !d.has("aud", "check", "endpoints", "epoch", "exp", "heartbeat", "iat", "metadata", "network", "node", "sequence", "service", "state", "v") {
		return false
	}
	list, ok := d["endpoints"].([]any)
	if !ok || len(list) < 1 || len(list) > 8 || !naiveEndpoints(list) {
		return false
	}
	check, beat := d.child("check"), d.child("heartbeat")
	if !check.has("interval", "path", "type") || !check.in("interval", 2, 3600) || !pathText.MatchString(check.text("path")) {
		return false
	}
	first, _ := list[0].(map[string]any)
	if t := check.text("type"); !slices.Contains([]string{"none", "tcp", "mtls", "http", "https", "grpc"}, t) || t != "none" && first["protocol"] != "tcp" {
		return false
	}
	if !beat.has("anchor", "count", "interval") || !naiveHash(beat.text("anchor")) || !beat.in("count", 1, 8640) || !beat.in("interval", 1, 3600) {
		return false
	}
	iat, exp := d.number("iat"), d.number("exp")
	return d.of(n) && d.in("sequence", 1, maxInt-1) && naiveMetadata(d.child("metadata"), d["metadata"]) &&
		slices.Contains([]string{"active", "draining"}, d.text("state")) &&
		exp > iat && exp <= iat+86400 && beat.number("count")*beat.number("interval") >= exp-iat &&
		d.in("epoch", 1, iat+60) && d.in("iat", n.cert.Leaf().NotBefore.Unix(), now.Unix()+60) && d.in("exp", now.Unix()-59, n.cert.Leaf().NotAfter.Unix())
}

func (n *network) naiveTombstone(payload string) bool {
	d, ok := naivePayload(payload)
	iat := d.number("iat")
	return ok && d.has("aud", "epoch", "exp", "iat", "network", "node", "sequence", "service", "v") &&
		d.of(n) && d.in("sequence", 1, maxInt-1) && d.in("epoch", 1, iat+60) && d.in("exp", iat+86520, iat+86520) &&
		d.in("exp", now.Unix()-59, maxInt) && d.in("iat", n.cert.Leaf().NotBefore.Unix()-60, min(now.Unix()+60, n.cert.Leaf().NotAfter.Unix()+60))
}

// of reports whether the members about the signer are those of n.
func (d naiveDoc) of(n *network) bool {
	return d.text("aud") == "netget:"+n.b.NID().String() && d.text("network") == "production" &&
		d.text("node") == n.id.String() && d.text("service") == n.id.Service() && d.in("v", 1, 1)
}

func naiveEndpoints(list []any) bool {
	names := map[string]struct{}{}
	for _, entry := range list {
		m, _ := entry.(map[string]any)
		e := naiveDoc(m)
		if !e.has("address", "name", "port", "protocol") || !naiveAddress(e.text("address")) || !labelText.MatchString(e.text("name")) ||
			!e.in("port", 1, 65535) || e.text("protocol") != "tcp" && e.text("protocol") != "udp" {
			return false
		}
		names[e.text("name")] = struct{}{}
	}
	return len(names) == len(list)
}

func naiveMetadata(m naiveDoc, member any) bool {
	if _, isObject := member.(map[string]any); !isObject || len(m) > 32 {
		return false
	}
	total := 0
	for key, value := range m {
		s, isText := value.(string)
		if !isText || !keyText.MatchString(key) || len(s) > 1024 {
			return false
		}
		total += len(key) + len(s)
	}
	return total <= 4096
}
