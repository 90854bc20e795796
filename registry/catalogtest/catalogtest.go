// Package catalogtest tests implementations of catalog.Store.
package catalogtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// A Place is where stores keep things: a file, a database, memory.
type Place struct {
	// Open opens the store of a network, as one more process would.
	Open func(t *testing.T, network identity.TrustDomain) catalog.Store
	// Restart ends what was opened, as the end of all processes does.
	Restart func(t *testing.T)
}

// TestStore tests the contract of [catalog.Store]. Each call of place returns
// an empty one.
func TestStore(t *testing.T, place func(t *testing.T) Place) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, p Place)
	}{
		{"an empty store is empty", testEmpty},
		{"a log belongs to one registry and network for ever", testClaim},
		{"of many claims at once one wins", testClaims},
		{"what was committed is loaded, byte for byte, also after a restart", testCommit},
		{"the token that was stored first stays", testFirstTokenStays},
		{"a version exists once", testConflict},
		{"of two processes one makes a version", testRace},
		{"4,096 changes are one version", testBigBatch},
		{"a load sees one moment", testLoadDuringCommits},
		{"an error of the caller's function ends a load", testLoadStops},
		{"statements are found by name, also those that were replaced", testObjects},
		{"as many statements as a version can replace are found", testManyObjects},
		{"evidence is kept without a version", testKeep},
		{"the newest heartbeat of a node stays", testBeats},
		{"networks do not see each other", testNetworks},
		{"what is old or unreferenced is pruned", testPrune},
		{"pruning much takes steps", testPruneMuch},
		{"events are answered by rising ID, also after a restart", testEvents},
		{"a commit that fails leaves no event", testEventsOfFailedCommit},
		{"networks do not see each other's events", testEventsOfNetworks},
		{"the newest events of each node stay", testPruneEvents},
		{"pruning many events takes steps", testPruneManyEvents},
		{"an ended context changes nothing", testEndedContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

// load returns all that a store holds, sorted.
func load(t *testing.T, s catalog.Store) ([]catalog.Version, catalog.Loaded) {
	t.Helper()
	versions, loaded, err := Contents(t.Context(), s)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return versions, loaded
}

// Contents returns all that a store holds, sorted by key.
func Contents(ctx context.Context, s catalog.Store) ([]catalog.Version, catalog.Loaded, error) {
	var versions []catalog.Version
	loaded, err := s.Load(ctx, func(v catalog.Version) error {
		versions = append(versions, v)
		return nil
	})
	sortLoaded(loaded)
	return versions, loaded, err
}

func sortLoaded(l catalog.Loaded) {
	slices.SortFunc(l.Objects, func(a, b catalog.Object) int { return bytes.Compare(a.RID[:], b.RID[:]) })
	slices.SortFunc(l.Nodes, func(a, b catalog.NodeRow) int { return cmp.Compare(a.Node.String(), b.Node.String()) })
	slices.SortFunc(l.Beats, func(a, b catalog.BeatRow) int { return cmp.Compare(a.Node.String(), b.Node.String()) })
}

// expect compares a store with what the history says it must hold.
func expect(t *testing.T, s catalog.Store, h *History) {
	t.Helper()
	versions, loaded := load(t, s)
	if diff := Diff(h, versions, loaded); diff != "" {
		t.Fatalf("what was loaded (-want +got):\n%s", diff)
	}
}

// Diff says how contents differ from what the history says they must be.
func Diff(h *History, versions []catalog.Version, loaded catalog.Loaded) string {
	if reflect.DeepEqual(h.Versions, versions) && reflect.DeepEqual(h.Loaded(), loaded) {
		return "" // cmp needs seconds for a large store
	}
	options := gocmp.Options{
		gocmp.Comparer(func(a, b identity.NodeID) bool { return a == b }),
		cmpopts.EquateEmpty(),
	}
	return gocmp.Diff(h.Versions, versions, options) + gocmp.Diff(h.Loaded(), loaded, options)
}

// must fails the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails the test if err is not want.
func wants(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", doing, err, want)
	}
}

// domain returns a network's trust domain.
func domain(t *testing.T, name string) identity.TrustDomain {
	t.Helper()
	td, err := identity.ParseTrustDomain(name + ".netget.internal")
	must(t, err)
	return td
}
