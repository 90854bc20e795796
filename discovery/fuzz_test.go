package discovery_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzHeadRules signs heads with any content, as a registry with bad intentions
// would, and holds the verdict against docs/protocol.md section 5, read again.
func FuzzHeadRules(f *testing.F) {
	ca := testca.New("production", "a", start)
	b, now := ca.Bundle(), start.Unix()
	id := ca.ID("registry", "r1")
	cred, key := ca.IssueSigning(id), testca.Key("a/signing/"+id.String())
	f.Add(int64(1), int64(1), now, now, now+30, int64(1), "", "production", id.String(), true)
	f.Add(int64(0), int64(0), now-9, now, now+30, int64(1), "brake", "production", id.String(), false)
	f.Add(int64(3), int64(2), now+61, now+61, now+91, int64(1), "", "production", id.String(), true)
	f.Add(int64(0), int64(0), now, now-90, now-60, int64(2), "x", "other", "spiffe://production.netget.internal/registry/r2", false)
	f.Fuzz(func(t *testing.T, records, services, made, iat, exp, v int64, notice, network, registry string, root bool) {
		doc := map[string]any{
			"changes": identity.Hash{1}, "crls": identity.Hash{2}, "made": made, "network": network, "nid": b.NID(), "notice": notice,
			"records": records, "registry": registry, "root": identity.Hash{}, "services": services, "v": v, "version": 1,
		}
		if root {
			doc["root"] = identity.Hash{3}
		}
		doc["log"] = identity.Hash(translog.LeafHash(sorted(t, doc)))
		doc["iat"], doc["exp"] = iat, exp
		token := forge.Token(identity.HeadTyp, key, cred.Leaf(), sorted(t, doc))
		message, err := json.Marshal(map[string]any{"head": token, "registry": [][]byte{cred.Leaf().Raw, cred.Issuer().Raw}, "inclusion": []string{}})
		if err != nil {
			t.Fatal(err)
		}
		head, err := discovery.NewOpener(b).Head(message, discovery.Ask{Now: start})
		within := func(least, most int64, all ...int64) bool {
			return !slices.ContainsFunc(all, func(n int64) bool { return n < least || n > most })
		}
		want := within(0, 1<<53-1, records, services, made, iat, exp) && v == 1 && network == "production" && registry == id.String() &&
			(notice == "" || notice == "brake") && exp == iat+30 && iat >= made && iat <= now+60 && now < exp+60 &&
			services <= records && (services == 0) == (records == 0) && (services == 0) == !root
		if want != (err == nil) {
			t.Fatalf("%v: got %v, want %v", doc, err, want)
		}
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if head.Made != made || head.Records != records || head.Registry != id || head.Version != 1 {
			t.Errorf("%v reads as %+v", doc, head)
		}
	})
}

// sorted encodes a payload with its members in order.
func sorted(t *testing.T, doc map[string]any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

var changeText = regexp.MustCompile(`^\["(spiffe://[^"]+)","([a-z0-9-]+)","([A-Za-z0-9_-]{43})?","([A-Za-z0-9_-]{43})?","([^"\\]|\\.)*",([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]),[0-9]{1,16}\]$`)

// FuzzChanges reads change lists. What is accepted is written back byte for
// byte, and each of its entries has the one form.
func FuzzChanges(f *testing.F) {
	for _, v := range messagesOf(f, vectors.TombstoneReceiptKind) {
		var doc struct{ Changes, Leaf json.RawMessage }
		if json.Unmarshal([]byte(v.Doc), &doc) == nil {
			var b bytes.Buffer
			if json.Compact(&b, doc.Changes) == nil {
				f.Add(b.Bytes())
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var changes []discovery.Change
		var err error
		spoil.Bounded(t, len(text), 64, func() { changes, err = discovery.ParseChanges(text) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		again, err := discovery.EncodeChanges(changes)
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s is written as %s, %v", text, again, err)
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(text, &rows); err != nil || len(rows) != len(changes) {
			t.Fatalf("%d rows, %d changes, %v", len(rows), len(changes), err)
		}
		for i, row := range rows {
			parts := changeText.FindSubmatch(row)
			if parts == nil || string(parts[1]) != changes[i].Node.String() || string(parts[2]) != changes[i].Node.Service() {
				t.Errorf("accepted %s", row)
			}
			if i > 0 && bytes.Compare(changeText.FindSubmatch(rows[i-1])[1], parts[1]) >= 0 {
				t.Errorf("out of order: %s", text)
			}
		}
	})
}

// FuzzLogLeaf reads leaves of logs; one that is accepted is written back.
func FuzzLogLeaf(f *testing.F) {
	for _, v := range messagesOf(f, vectors.TombstoneReceiptKind) {
		var doc struct{ Leaf string }
		if json.Unmarshal([]byte(v.Doc), &doc) == nil {
			f.Add([]byte(doc.Leaf))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		head, err := discovery.ParseLogLeaf(text)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		again, err := head.LogLeaf()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s is written as %s, %v", text, again, err)
		}
		if head.Version < 1 || head.Services > head.Records || head.Registry.Type() != identity.RegistryNode || !head.Log.IsZero() {
			t.Errorf("accepted %s", text)
		}
	})
}

// FuzzMarks reads marks.json, which others may have written. What is taken is
// kept when it is written again, and nothing in it is worth nothing.
func FuzzMarks(f *testing.F) {
	id := testca.New("production", "a", start).ID("registry", "new")
	hash := identity.Hash{1}.String()
	good := `{"registries":{"spiffe://production.netget.internal/registry/r1":{"version":3,"root":"` + hash + `","log":"` + hash + `","made":5}},` +
		`"nodes":{"spiffe://production.netget.internal/a/b":{"epoch":1,"sequence":2,"rid":"` + hash + `","iat":3,"equivocated":true}},` +
		`"crls":{"` + hash + `":{"number":"12","hash":"` + hash + `"}}}`
	for way := range byte(7) {
		for place := range uint16(20) {
			f.Add([]byte(good), place, way, []byte{0, byte(place + 2), 2})
		}
	}
	for _, number := range []string{`"-1"`, `"007"`, `"x"`, `""`, `"` + strings.Repeat("9", 1000) + `"`} {
		f.Add([]byte(good), uint16(18), byte(0), []byte(number))
	}
	path := filepath.Join(f.TempDir(), "marks.json")
	f.Fuzz(func(t *testing.T, text []byte, place uint16, way byte, with []byte) {
		text = spoil.JSON(text, place, way, with)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var m *discovery.Marks
		var err error
		spoil.Bounded(t, len(text), 64, func() { m, err = discovery.OpenMarks(path) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		before := content(t, text)
		mark := &identity.RegistryMark{Version: 1, Log: identity.Hash{9}}
		if err := m.SuggestAll([]identity.RegistryEntry{{Registry: id, Mark: mark}}); err != nil || m.Registry(id) == nil {
			t.Fatalf("a new mark: %v", err)
		}
		written, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		after := content(t, written)
		for name, part := range before {
			for member, value := range part {
				if !bytes.Equal(after[name][member], value) {
					t.Errorf("%s of %s was %s and is %s", member, name, value, after[name][member])
				}
			}
		}
		if _, err := discovery.OpenMarks(path); err != nil {
			t.Errorf("marks do not survive their own encoding: %v", err)
		}
	})
}

// content returns the known members of the three parts of marks, each with its
// members in one order.
func content(t *testing.T, text []byte) map[string]map[string]json.RawMessage {
	t.Helper()
	var parts struct {
		Registries map[string]identity.RegistryMark `json:"registries"`
		Nodes      map[string]discovery.NodeMark    `json:"nodes"`
		CRLs       map[string]discovery.CRLMark     `json:"crls"`
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]json.RawMessage{"registries": {}, "nodes": {}, "crls": {}}
	put := func(part, member string, v any) {
		value, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all[part][member] = value
	}
	for id, mark := range parts.Registries {
		put("registries", id, mark)
	}
	for id, mark := range parts.Nodes {
		put("nodes", id, mark)
	}
	for id, mark := range parts.CRLs {
		put("crls", id, mark)
	}
	return all
}

// FuzzAddress reads where to dial. The canonical form is its own canonical form,
// and leads to the host and port that were named, by TLS alone.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{
		"https://Registry.example.org", "https://[::1]:8438/", "https://127.0.0.1:1", "https://[fe80::1%25eth0]:1", "https://a:65536",
		"https://a@b", "https://a?b", "http://a", "https://a/b", "https://a%2fb", "https://ä:1", "https://\xe2:1", "https://[::1", "https://a b", "https://a#", "HTTPS://a:08438", "https://:1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := discovery.ParseAddress(text)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		again, err := discovery.ParseAddress(address)
		if err != nil || again != address {
			t.Fatalf("%q reads as %q, and that as %q, %v", text, address, again, err)
		}
		was, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		is, err := url.Parse(address)
		if err != nil || is.Scheme != "https" || is.User != nil || is.Path != "" || is.RawQuery != "" || is.Fragment != "" || is.Hostname() != identity.FoldName(was.Hostname()) || is.Port() == "" {
			t.Errorf("%q reads as %q, %v", text, address, err)
		}
	})
}
