package attack_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // to look into stores

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A state is what a registry says of itself to a client that verifies it.
type state struct {
	Version   int64
	Root, Log identity.Hash
	Services  []discovery.ServiceRow
	Nodes     []seen
}

// seen is a listed record.
type seen struct {
	Node  string
	RID   identity.Hash
	Up    string
	Since int64
	Beat  identity.Beat
}

// state asks for everything as a client of the network. Where nobody is let in
// there is nothing to see, but in the store.
func (r *target) state(t *testing.T) state {
	t.Helper()
	if r.closed {
		return state{}
	}
	c, o := r.watcher, discovery.NewOpener(r.reader.Identity().Bundle)
	body := c.get(t, "/v1/services").body
	head, rows, err := o.Services(body, discovery.Ask{Now: signedAt(t, body)})
	if err != nil {
		t.Fatalf("the registry's services: %v\n%s", err, body)
	}
	s := state{Version: head.Version, Root: head.Root, Log: head.Log}
	for _, row := range rows {
		s.Services = append(s.Services, discovery.ServiceRow(row))
		body := c.get(t, "/v1/services/"+row.Service).body
		view, err := o.Answer(body, discovery.Ask{Service: row.Service, Now: signedAt(t, body)})
		if err != nil {
			t.Fatalf("the answer about %s: %v", row.Service, err)
		}
		for _, n := range view.Nodes {
			s.Nodes = append(s.Nodes, seen{n.Record.Node.String(), n.RID, n.Status.String(), n.Since, n.Beat})
		}
		for _, l := range view.LeftOut {
			t.Errorf("%s was left out: %s", l.ID, l.Code)
		}
	}
	return s
}

// signedAt returns when the head of a message was signed: the clocks of these
// registries jump, and a head is signed again only each 5 s.
func signedAt(t *testing.T, message []byte) time.Time {
	t.Helper()
	var outer struct{ Head string }
	if err := json.Unmarshal(message, &outer); err != nil {
		t.Fatal(err)
	}
	var head struct{ IAT int64 }
	if err := json.Unmarshal(payloadOf(t, outer.Head), &head); err != nil {
		t.Fatalf("a head that is none: %v\n%s", err, message)
	}
	return time.Unix(head.IAT, 0)
}

// payloadOf returns the payload of a token.
func payloadOf(t *testing.T, token string) []byte {
	t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil {
		t.Fatalf("%.100q is no token: %v", token, err)
	}
	return payload
}

// unchanged fails if the registry says anything else than before, which is then
// what the next case begins with.
func (r *target) unchanged(t *testing.T, before *state) {
	t.Helper()
	after := r.state(t)
	if d := cmp.Diff(*before, after); d != "" {
		t.Errorf("something refused changed the registry (before -, after +)\n%s", d)
	}
	*before = after
}

// A dump is every row of every table of a store, as text.
type dump map[string][]string

// dumpOf reads a store beside the program that holds it.
func dumpOf(t *testing.T, path string) dump {
	t.Helper()
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := dump{}
	for _, table := range column(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
		d[table] = rowsOf(t, db, table)
	}
	if len(d) < 2 {
		t.Fatalf("%s has no tables", path)
	}
	return d
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func rowsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		list = append(list, text(names, values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func text(names []string, values []any) string {
	var fields []string
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			v = hex.EncodeToString(b)
		}
		fields = append(fields, fmt.Sprintf("%s=%v", names[i], v))
	}
	return strings.Join(fields, " ")
}

// unchangedStore is [target.unchanged] for what a program has in its store.
func unchangedStore(t *testing.T, before *dump, path string) {
	t.Helper()
	after := dumpOf(t, path)
	if d := cmp.Diff(*before, after); d != "" {
		t.Errorf("something refused changed the store (before -, after +)\n%.4000s", d)
	}
	*before = after
}
