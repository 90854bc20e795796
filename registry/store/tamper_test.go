package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry/catalog"
)

// A tampered is a small store with some of everything, whose rows a test changes
// behind the back of a registry that is not running.
type tampered struct {
	ca    *testca.Authority
	now   time.Time
	src   *identity.Source
	head  string // where the newest head is kept; "" for nowhere
	db    *database.DB
	clean []table
	state string // what the registry says of the clean store

	changed map[string]bool // the tables that the last case has changed, by name
}

func newTampered(t *testing.T, url, seed, registry, head string) *tampered {
	t.Helper()
	w := &tampered{now: time.Now().Truncate(time.Second), head: head, db: openDB(t, database.Config{URL: url})}
	w.ca = testca.New("production", seed, w.now)
	w.src = w.ca.Source(w.ca.ID("registry", registry))
	c := w.catalog(t)
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	w.fill(t, c)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.remember(t)
	w.clean = dump(t, w.db)
	var err error
	if w.state, err = w.open(t); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *tampered) catalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(catalog.Config{
		Source: w.src, Store: newStore(t, w.db, w.ca.Bundle().TrustDomain()),
		HeadFile: w.head,
		Now:      func() time.Time { return w.now }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open starts a registry on the store and returns all that it would tell.
func (w *tampered) open(t *testing.T) (string, error) {
	t.Helper()
	c := w.catalog(t)
	if err := c.Open(t.Context()); err != nil {
		if c.Snapshot() != nil {
			t.Errorf("%v, and yet there is a snapshot", err)
		}
		return "", err
	}
	s := c.Snapshot()
	told := []any{s.Head().Mark(), s.Services()}
	for _, row := range s.Services() {
		answer, err := s.Answer(row.Service, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range answer.Records {
			answer.Records[i].Heartbeat = nil // it proves itself
		}
		told = append(told, answer.Records, answer.Certificates, answer.Issuers)
	}
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// fill gives the store every kind of row.
func (w *tampered) fill(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	put := func(cred *identity.Credential, s *identity.Statement, err error) *identity.Statement {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		cert, err := w.ca.Bundle().Verify(cred.Leaf(), cred.Issuer(), identity.ClientUse)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Submit(t.Context(), s.Token(), catalog.Peer{Certificate: cert}); err != nil {
			t.Fatalf("submitting for %s: %v", s.Node(), err)
		}
		return s
	}
	remove := func(cred *identity.Credential, s *identity.Statement, raise int64) {
		t.Helper()
		x := identity.TombstoneFor(s, w.ca.Bundle().NID(), w.now.Unix())
		if cred.ID() != s.Node() {
			x.Epoch, x.Sequence = x.Epoch+raise, identity.OperatorSequence
		}
		tomb, err := identity.SignTombstone(x, cred, w.ca.Bundle())
		put(cred, tomb, err)
	}
	record := func(cred *identity.Credential, sequence int64, zone string) (*identity.Statement, *identity.Chain, error) {
		chain, err := identity.NewChain(cred.ID(), 240)
		if err != nil {
			t.Fatal(err)
		}
		s, err := identity.SignRecord(identity.Record{
			Check:     identity.Check{Interval: 10, Type: identity.CheckTCP},
			Endpoints: []identity.Endpoint{{Address: "10.1.2.3", Name: "main", Port: 5432, Protocol: "tcp"}},
			Epoch:     w.now.Unix(), Exp: w.now.Unix() + 3600, IAT: w.now.Unix(), Sequence: sequence, State: identity.Active,
			Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 240, Interval: 15},
			Metadata:  map[string]string{"zone": zone},
		}, cred, w.ca.Bundle())
		return s, chain, err
	}
	register := func(service, node string) (*identity.Credential, *identity.Statement) {
		t.Helper()
		cred := w.ca.Issue(w.ca.ID(service, node))
		s, _, err := record(cred, 1, "a")
		return cred, put(cred, s, err)
	}
	olga, otto := w.ca.Issue(w.ca.ID("operator", "olga")), w.ca.Issue(w.ca.ID("operator", "otto"))
	cred, _ := register("billing", "b-1")
	s, chain, err := record(cred, 2, "a")
	put(cred, s, err)
	w.beat(t, c, cred, s, chain)
	cred, s = register("billing", "b-2")
	remove(cred, s, 0)
	_, s = register("search", "s-1")
	remove(olga, s, 0)
	_, s = register("search", "s-2")
	remove(olga, s, 0)
	remove(otto, s, 1)
	register("search", "s-3")
	w.equivocate(t, put, record)
}

// remember gives the store events of a node and of the network.
func (w *tampered) remember(t *testing.T) {
	t.Helper()
	for _, node := range []identity.NodeID{w.ca.ID("billing", "b-1"), {}, w.ca.ID("search", "s-3")} {
		err := w.db.Write(t.Context(), func(tx *database.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO event (network, id, node, made, old_status, new_status, reason, evidence, disputed)
				VALUES ($1, (SELECT coalesce(max(id), 0) + 1 FROM event WHERE network = $1), $2, $3, 1, 2, 'heartbeat-late', $4, $5)`,
				w.ca.Bundle().TrustDomain().String(), node.String(), w.now.Unix(), []byte("nothing for 16 s"), node.IsZero())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *tampered) beat(t *testing.T, c *catalog.Catalog, cred *identity.Credential, s *identity.Statement, chain *identity.Chain) {
	t.Helper()
	cert, err := w.ca.Bundle().Verify(cred.Leaf(), cred.Issuer(), identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := chain.Token(2)
	if _, err := c.Beat(t.Context(), catalog.Peer{Certificate: cert}, s.RID(), identity.Beat{K: 2, Token: token}); err != nil {
		t.Fatal(err)
	}
}

// equivocate lets a node sign two records for one place.
func (w *tampered) equivocate(t *testing.T, put func(*identity.Credential, *identity.Statement, error) *identity.Statement,
	record func(*identity.Credential, int64, string) (*identity.Statement, *identity.Chain, error),
) {
	t.Helper()
	cred := w.ca.Issue(w.ca.ID("search", "s-4"))
	x, _, err := record(cred, 1, "a")
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := record(cred, 1, "b")
	if err != nil {
		t.Fatal(err)
	}
	if x.Compare(y) > 0 {
		x, y = y, x
	}
	put(cred, x, nil)
	put(cred, y, nil)
}

// unnoticed says which cells a start does not believe, so that whoever changes
// one changes nothing of what the registry tells; and why no more is lost than
// said here.
func unnoticed() map[string]string {
	return map[string]string{
		"claim.network":       "the row is another network's then, and the claim is made anew; leaves name the registry too",
		"version.network":     "of the oldest version kept: as if it had been pruned",
		"certificate.used_at": "when pruning may look at the row; one that is missed is noticed at the next start",
		"object.network":      "of a statement that was replaced: it waits to be pruned, and without it a node that just signed anew is probed first",
		"object.rid":          "see object.network",
		"object.node":         "see object.network",
		"object.token":        "see object.network",
		"object.leaf":         "see object.network",
		"object.issuer":       "see object.network; the certificate of an issuer is found by what it signed",
		"object.accepted_at":  "when pruning may look at the row",
		"node.network":        "of a node that is not listed: it is forgotten before its time; only the node itself could bring an older statement, and clients keep marks",
		"node.state":          "of a node that is not listed: another statement that it signed; see node.network",
		"node.hidden":         "what counts again when an operator is revoked, where it is still held",
		"node.evidence":       "see node.hidden; evidence accuses nobody who has not signed it",
		"node.greatest_iat":   "for how long a node that left is remembered; see node.network",
		"node.applied":        "which version a receipt names; whoever gets it finds that it does not fit",
		"beat.network":        "a heartbeat proves itself; the next one comes soon",
		"beat.node":           "see beat.network",
		"beat.rid":            "see beat.network",
		"beat.k":              "see beat.network",
		"beat.token":          "see beat.network",
		"event.network":       "nobody signs an event and nothing is decided by it: operators are told what the registry remembers",
		"event.id":            "see event.network",
		"event.node":          "see event.network; what is no node is noticed when it is asked for",
		"event.made":          "see event.network",
		"event.old_status":    "see event.network",
		"event.new_status":    "see event.network",
		"event.reason":        "see event.network",
		"event.evidence":      "see event.network",
		"event.disputed":      "see event.network",
	}
}

// TestEveryCellChangedByHandIsNoticedOrWithoutEffect changes each cell of each
// table to other plausible values, one at a time, and starts a registry on it.
func TestEveryCellChangedByHandIsNoticedOrWithoutEffect(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		w := newTampered(t, url, "tampered", "r-1", "")
		tally, reasons := map[string]int{}, unnoticed()
		for n, tb := range w.clean {
			for row := range tb.rows {
				for col := range tb.columns {
					for _, value := range append(tb.others(row, col), w.statements(tb, row, col)...) {
						cell := tb.name + "." + tb.columns[col].name
						changed := tb.with(row, func(r []any) { r[col] = value })
						what := fmt.Sprintf("%s of %v changed to %v", cell, tb.rows[row][:min(3, len(tb.rows[row]))], value)
						tally[cell+w.judge(t, n, changed, what, reasons[cell])]++
					}
				}
			}
		}
		for cell := range reasons {
			if tally[cell+" unnoticed"] == 0 {
				t.Errorf("%s: every change is noticed, and yet a reason is given why not", cell)
			}
		}
		t.Logf("%v", tally)
	})
}

// statements returns the other statements of a node that the store holds, for
// the cells that name one.
func (w *tampered) statements(tb table, row, col int) (rids []any) {
	if tb.name != "node" || tb.columns[col].kind != "blob" {
		return nil
	}
	for _, o := range w.table("object").rows {
		if o[2] == tb.rows[row][1] && fmt.Sprint(o[1]) != fmt.Sprint(tb.rows[row][col]) {
			rids = append(rids, o[1])
		}
	}
	return rids
}

func (w *tampered) table(name string) *table {
	i := slices.IndexFunc(w.clean, func(tb table) bool { return tb.name == name })
	return &w.clean[i]
}

// judge starts a registry on a store with one table changed.
func (w *tampered) judge(t *testing.T, n int, changed table, what, reason string) string {
	t.Helper()
	all := slices.Clone(w.clean)
	all[n] = changed
	return w.judgeAll(t, all, what, reason)
}

// put makes the store hold tables. It writes those only that the store does not
// hold just so: what this case changes, what the one before has changed, and the
// claim, which each start makes where it is missing.
func (w *tampered) put(t *testing.T, tables []table) error {
	t.Helper()
	changes := map[string]bool{}
	var stale []table
	for i, tb := range tables {
		changes[tb.name] = len(tb.rows) != len(w.clean[i].rows) || &tb.rows[0] != &w.clean[i].rows[0]
		if changes[tb.name] || w.changed[tb.name] || tb.name == "claim" {
			stale = append(stale, tb)
		}
	}
	if err := restore(t.Context(), w.db, stale); err != nil {
		return err // the changes before are still there
	}
	w.changed = changes
	return nil
}

func (w *tampered) judgeAll(t *testing.T, all []table, what, reason string) string {
	t.Helper()
	if err := w.put(t, all); err != nil {
		return " refused by the schema"
	}
	state, err := w.open(t)
	if err != nil {
		if !namesWhatIsWrong(err) {
			t.Errorf("%s: got %v (%T), want an error that names what is wrong", what, err, err)
		}
		return " noticed"
	}
	if state != w.state {
		t.Errorf("%s: served\n%s\nwant\n%s", what, state, w.state)
	}
	if reason == "" {
		t.Errorf("%s: nobody noticed", what)
	}
	return " unnoticed"
}

// namesWhatIsWrong reports whether an error is one with exit code 6 that says
// where.
func namesWhatIsWrong(err error) bool {
	if corrupt, ok := errors.AsType[*catalog.CorruptError](err); ok {
		return corrupt.What != ""
	}
	return errors.Is(err, database.ErrCorrupt) || errors.Is(err, catalog.ErrForeignLog)
}

// TestEveryDeletedRowIsNoticedOrWithoutEffect deletes each row of each table.
func TestEveryDeletedRowIsNoticedOrWithoutEffect(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		w := newTampered(t, url, "tampered", "r-1", "")
		for _, tt := range []struct {
			table, reason string
			unnoticed     int // rows
		}{
			{"claim", "see claim.network", 1},
			{"version", "the oldest one kept", 1},
			{"log_hash", "", 0},
			{"certificate", "", 0},
			{"object", "those that were replaced", 5},
			{"node", "those that are not listed, see node.network", 3},
			{"beat", "the next comes soon", 1},
			{"event", "see event.network", len(w.table("event").rows)},
		} {
			n := slices.IndexFunc(w.clean, func(tb table) bool { return tb.name == tt.table })
			unnoticed := 0
			for row := range w.clean[n].rows {
				what := fmt.Sprintf("%v deleted from %s", w.clean[n].rows[row][:3], tt.table)
				if w.judge(t, n, w.clean[n].with(row, nil), what, tt.reason) == " unnoticed" {
					unnoticed++
				}
			}
			if unnoticed != tt.unnoticed {
				t.Errorf("%s: of %d rows %d can be deleted unnoticed, want %d", tt.table, len(w.clean[n].rows), unnoticed, tt.unnoticed)
			}
		}
		if len(w.clean) != 8 {
			t.Errorf("%d tables, and not each is judged", len(w.clean))
		}
	})
}

// TestRowsOfOtherStoresAreNoticedOrWithoutEffect puts rows of another store in
// the place of our own: what is known of a node together with its statements
// and certificates, and the versions.
func TestRowsOfOtherStoresAreNoticedOrWithoutEffect(t *testing.T) {
	for name, from := range map[string]struct{ seed, registry, reason string }{
		"of another network":                      {"another", "r-1", ""},
		"of another registry of the same network": {"tampered", "r-2", "nodes that are not listed: what a node has signed counts wherever it comes from"},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				t.Helper()
				w, other := newTampered(t, url, "tampered", "r-1", ""), newTampered(t, sqliteURL(t), from.seed, from.registry, "")
				for i, row := range other.table("node").rows {
					all := slices.Clone(w.clean)
					for n := range all {
						switch all[n].name {
						case "node":
							all[n] = all[n].with(i, func(r []any) { copy(r, convert(all[n], row)) })
						case "object", "certificate":
							all[n].rows = slices.Concat(all[n].rows, missing(all[n], *other.table(all[n].name)))
						}
					}
					reason := from.reason
					if row[7] == int64(1) || row[7] == true { // listed
						reason = ""
					}
					w.judgeAll(t, all, fmt.Sprintf("%v taken over", row[:2]), reason)
				}
				for i, row := range other.table("version").rows {
					n := slices.IndexFunc(w.clean, func(tb table) bool { return tb.name == "version" })
					w.judge(t, n, w.clean[n].with(i, func(r []any) { copy(r, row) }), fmt.Sprintf("%v taken over", row[:2]), "")
				}
			})
		})
	}
}

// missing returns the rows of other whose key, the first two columns, is not in
// tb.
func missing(tb, other table) (rows [][]any) {
	for _, row := range other.rows {
		same := func(own []any) bool { return fmt.Sprint(own[:2]) == fmt.Sprint(row[:2]) }
		if !slices.ContainsFunc(tb.rows, same) {
			rows = append(rows, row)
		}
	}
	return rows
}

// convert writes booleans as the table's engine does.
func convert(tb table, row []any) []any {
	row = slices.Clone(row)
	for i, c := range tb.columns {
		if number, ok := row[i].(int64); ok && c.kind == "boolean" {
			row[i] = number == 1
		}
	}
	return row
}
