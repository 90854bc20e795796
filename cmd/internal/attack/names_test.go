package attack_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

// attackNames puts every bad name where a name is read: into records, URLs,
// the arguments of the programs, and what they would name files after.
func attackNames(t *testing.T, g *group) {
	t.Helper()
	r := newTarget(t, nil, vectorSigned+1)
	before, stored := r.state(t), dumpOf(t, r.store())
	good := read[vectors.Record](t, vectors.RecordsFile)[0]
	var services []vectors.Identity
	for _, v := range read[vectors.Identity](t, vectors.IdentitiesFile) {
		if v.Class == "" || v.Kind == "trust-domain" && string(v.Text) == "production" {
			continue // no trust domain, but a good network
		}
		if v.Kind == "service" && !strings.HasPrefix(v.Name, "the reserved") {
			services = append(services, v)
		}
		g.try(t, "in a record: "+v.Name, answered(400, identity.Malformed), func(t *testing.T) outcome {
			t.Helper()
			defer r.unchanged(t, &before)
			return r.recordWith(t, good, v)
		})
	}
	for _, v := range services {
		attackURLs(t, g, r, &before, v)
	}
	r.process.stop(t)
	unchangedStore(t, &stored, r.store())
	attackArguments(t, g, services)
}

// recordWith posts a record of db-1 in which one member is the name.
func (r *target) recordWith(t *testing.T, good vectors.Record, v vectors.Identity) outcome {
	t.Helper()
	cred := r.ca.Issue(r.ca.ID("databaseservice", "db-1"))
	text := string(payloadOf(t, good.Token))
	member := map[string]string{
		"identity":     `"node":"spiffe://production.netget.internal/databaseservice/db-1"`,
		"service":      `"service":"databaseservice"`,
		"trust-domain": `"network":"production"`,
		"address":      `"address":"10.0.0.1"`,
		"hash":         `"anchor":"` + anchorOf(t, text) + `"`,
	}[v.Kind]
	key, _, _ := strings.Cut(member, ":")
	if strings.Count(text, member) != 1 {
		t.Fatalf("the record has no %s", member)
	}
	text = strings.Replace(text, member, key+":"+quoted(t, string(v.Text)), 1)
	token := forge.Token(identity.RecordTyp, forge.KeyOf(cred.Leaf().Raw), cred.Leaf(), []byte(text))
	return r.post(t, r.dial(t, cred.Leaf().Raw, cred.Issuer().Raw), token).outcome()
}

func anchorOf(t *testing.T, payload string) string {
	t.Helper()
	var p struct{ Heartbeat struct{ Anchor string } }
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		t.Fatal(err)
	}
	return p.Heartbeat.Anchor
}

// quoted returns a string in the JSON of signed payloads, which has no escapes
// for HTML.
func quoted(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// attackURLs asks for a service and for a node by a bad name.
func attackURLs(t *testing.T, g *group, r *target, before *state, v vectors.Identity) {
	t.Helper()
	name := string(v.Text)
	if name == "" {
		return // a path without a name is another route
	}
	service, node := answered(400, identity.Malformed), answered(400, identity.Malformed)
	if name == "../x" { // decided by its normal form: /v1/x is no route, /v1/services/x an absent service
		service, node = answered(404, identity.NotFound), answered(200, "")
	}
	for _, place := range []struct {
		words, path string
		want        outcome
	}{
		{"a service in a URL", "/v1/services/", service},
		{"a node in a URL", "/v1/services/web/", node},
	} {
		g.try(t, strings.Replace(v.Name, "a service", place.words, 1), place.want, func(t *testing.T) outcome {
			t.Helper()
			defer r.unchanged(t, before)
			return r.asReader(t).send(t, r.neutral(t, http.MethodGet, place.path+url.PathEscape(name))).outcome()
		})
	}
}

// neutral returns a request whose path goes over the wire as it is.
func (r *target) neutral(t *testing.T, method, path string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+r.process.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// attackArguments gives bad names to the programs. What people type is folded
// to lower case, so mixed case is no bad name there; and NUL ends an argument
// before a program sees it.
func attackArguments(t *testing.T, g *group, names []vectors.Identity) {
	t.Helper()
	metadataKey := regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	c := newCourt(t)
	before := c.holdings(t)
	dirs := t.TempDir()
	asking, offering := newFolder(t, dirs, "client", "carl"), newFolder(t, dirs, "databaseservice", "db-1")
	for _, v := range names {
		name := string(v.Text)
		if strings.ContainsRune(name, 0) || strings.ToLower(name) != name && strings.ToLower(name) == "ab" {
			continue
		}
		for _, args := range [][]string{
			{"netget-client", "discover", "--identity", asking, "--", name},
			{"netget-client", "node", "--identity", asking, "--", "web", name},
			{"netget-client", "register", "--identity", offering, "--once", "--address", "10.0.0.1:80", "--meta", name + "=x"},
			{"netget-ca", "token", "--home", c.home, "--network", "development", "--", "billing", name},
			{"netget-ca", "network", "create", "--home", c.home, "--", name},
		} {
			if name == "" && args[1] == "token" || args[1] == "register" && metadataKey.MatchString(name) {
				continue // the authority chooses a name then; keys of metadata may have what names may not
			}
			verb := strings.Join(args[:2], " ")
			g.try(t, "argument of "+verb+": "+strings.TrimSuffix(v.Name, " as a service"), "exit 2", func(t *testing.T) outcome {
				t.Helper()
				code, out, log := run(t, 0, args...)
				if len(out) != 0 || strings.Count(string(log), "\n") != 2 {
					t.Errorf("it printed\n%s\n%s", out, log)
				}
				if code != 2 {
					return exited(code, log)
				}
				return "exit 2"
			})
		}
	}
	c.unchanged(t, before)
	if entries, err := os.ReadDir(dirs); err != nil || len(entries) != 2 {
		t.Errorf("files have come to be beside the identity: %v %v", entries, err)
	}
	c.process.stop(t)
}

// newFolder writes the identity of a node, with no registry to ask.
func newFolder(t *testing.T, dirs, service, label string) string {
	t.Helper()
	ca := forge.Authority()
	i := ca.Identity(ca.ID(service, label))
	i.Credential = ca.IssueKey(i.ID(), newKey(t), longLived)
	dir := filepath.Join(dirs, label)
	if err := identity.NewFolder(dir).Create(i, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

func nameFacts() map[string][]string {
	bad := map[string]string{
		"../x": "a path upwards", "%2e%2e": "an escaped path", "NUL": "NUL", "newline": "a newline", "double quote": "a quote",
		"quote": "a single quote", "*": "an asterisk", "trailing dot": "a trailing dot", "mixed case": "mixed case",
		"beyond ASCII": "text outside ASCII", "300 characters": "300 characters", "$1": "a parameter", "$$": "two dollars",
		"';--": "a statement's end",
	}
	all := map[string][]string{}
	for fact, name := range bad {
		all[fact+" on the wire"] = []string{
			"in a record: " + name + " as a service", "in a record: " + name + " as the node of an identity", "in a record: " + name + " as a network",
			name + " as a service in a URL", name + " as a node in a URL",
		}
		if fact != "NUL" && fact != "mixed case" {
			all[fact+" as an argument"] = []string{
				"argument of netget-client discover: " + name, "argument of netget-ca token: " + name,
				"argument of netget-ca network: " + name,
			}
			if fact != "trailing dot" {
				all[fact+" as a key of metadata"] = []string{"argument of netget-client register: " + name}
			}
		}
	}
	return all
}
