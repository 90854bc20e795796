package discovery_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

func TestMarksSurviveAndRefuseRollback(t *testing.T) {
	s := newSetup("north")
	path := filepath.Join(t.TempDir(), "marks.json")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	north.commit(newNode(s.ca, "db-2", start))
	address := north.serve(t)
	ask := func() error {
		s.marks = must(discovery.OpenMarks(path))
		_, err := s.client(t, nil, address).Discover(t.Context(), service)
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(path))
	for name, lie := range map[string]struct {
		edit func(string, int64, []byte) (int, []byte)
		want identity.Code
	}{
		"shows an older version": {func(string, int64, []byte) (int, []byte) { return http.StatusOK, north.answer(2, 0) }, identity.Rollback},
		"leaves a record out": {func(_ string, _ int64, doc []byte) (int, []byte) {
			return http.StatusOK, without(doc, "records")
		}, identity.Incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			north.edit = lie.edit
			wantCode(t, ask(), lie.want)
			if after := must(os.ReadFile(path)); string(after) != string(before) {
				t.Errorf("a refused answer changed the marks:\n%s\n%s", before, after)
			}
		})
	}
}

func TestTornMarksFailClosed(t *testing.T) {
	for name, text := range map[string]string{
		"half a file": `{"registries":{`, "no file content": "", "a part missing": `{"registries":{},"nodes":{}}`, "not ours": `[]`,
		"a revocation list without number": `{"registries":{},"nodes":{},"crls":{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA":{"number":"x","hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}}`,
		"a version before the first":       `{"registries":{"spiffe://production.netget.internal/registry/north":{}},"nodes":{},"crls":{}}`,
		"an epoch before the first":        `{"registries":{},"nodes":{"spiffe://production.netget.internal/a/b":{}},"crls":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "marks.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := discovery.OpenMarks(path); err == nil {
				t.Error("damaged marks were taken for none")
			}
		})
	}
}

func TestMarksWithoutAFolderLiveInMemory(t *testing.T) {
	s := newSetup("north")
	s.marks = must(discovery.OpenMarks(filepath.Join(t.TempDir(), "gone", "marks.json")))
	north := newLab(s.ca, s.clock, "north")
	c := s.client(t, nil, north.serve(t))
	heads, _, err := c.Heads(t.Context())
	if err != nil || len(heads) != 1 {
		t.Fatalf("got %v, %v", heads, err)
	}
	if s.marks.Volatile() == nil || s.marks.Registry(north.id) == nil {
		t.Errorf("volatile %v, mark %v: want both", s.marks.Volatile(), s.marks.Registry(north.id))
	}
}

func TestTwoProgramsShareMarks(t *testing.T) {
	s := newSetup("north")
	path := filepath.Join(t.TempDir(), "marks.json")
	north := newLab(s.ca, s.clock, "north")
	address := north.serve(t)
	s.marks = must(discovery.OpenMarks(path))
	first := s.client(t, nil, address)
	s.marks = must(discovery.OpenMarks(path))
	second := s.client(t, nil, address)
	for _, c := range []*discovery.Client{first, second, first} {
		north.commit(newNode(s.ca, "db-1", start))
		if _, err := c.Discover(t.Context(), service); err != nil {
			t.Fatal(err)
		}
	}
	// The second program has only seen version 3; the file says 4.
	north.edit = func(path string, _ int64, _ []byte) (int, []byte) {
		if path == "/v1/proof" {
			return http.StatusOK, must(json.Marshal(map[string]any{"proof": hashes(must(north.log.Consistency(3, 4)))}))
		}
		return http.StatusOK, north.answer(3, 0)
	}
	_, err := second.Discover(t.Context(), service)
	wantCode(t, err, identity.Rollback) // it takes over the other's mark and asks again
}

func TestRewrittenLogIsEquivocation(t *testing.T) {
	s := newSetup("north")
	honest := newLab(s.ca, s.clock, "north")
	honest.commit(newNode(s.ca, "db-1", start))
	other := newLab(s.ca, s.clock, "north")
	other.commit(newNode(s.ca, "db-2", start))
	if _, err := s.client(t, nil, honest.serve(t)).Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	address := other.serve(t)
	_, err := s.client(t, nil, address).Discover(t.Context(), service)
	wantCode(t, err, identity.Equivocation) // the same version with another root
	other.commit(newNode(s.ca, "db-3", start))
	_, err = s.client(t, nil, address).Discover(t.Context(), service)
	wantCode(t, err, identity.Equivocation) // a later version that does not continue the log
}

func TestMarkMovesMeanwhile(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	address := north.serve(t)
	other := s.client(t, nil, address)
	moved := false
	north.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if moved || !strings.HasPrefix(path, "/v1/services/") {
			return http.StatusOK, doc
		}
		moved = true
		// While this answer is under way, another question moves the mark.
		north.version()
		north.mu.Unlock()
		_, err := other.Discover(context.Background(), service)
		north.mu.Lock()
		if err != nil {
			t.Error(err)
		}
		return http.StatusOK, doc
	}
	found, err := s.client(t, nil, address).Discover(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if got := found.Registries[0].Head.Version; got != 3 {
		t.Errorf("used version %d, want 3: the overtaken answer is asked for again", got)
	}
	if !slices.ContainsFunc(north.asked(), func(u string) bool { return strings.HasPrefix(u, "/v1/proof?from=2&to=3") }) {
		t.Error("the two versions were not linked by a proof")
	}
}

func TestUnlinkedOvertakenAnswerIsNotUsed(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	address := north.serve(t)
	other := s.client(t, nil, address)
	moved := false
	north.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if path == "/v1/proof" {
			return http.StatusOK, []byte(`{"proof":[]}`)
		}
		if !moved {
			moved = true
			north.version()
			north.mu.Unlock()
			_, _ = other.Discover(context.Background(), service)
			north.mu.Lock()
		}
		return http.StatusOK, doc
	}
	_, err := s.client(t, nil, address).Discover(t.Context(), service)
	wantCode(t, err, identity.Equivocation)
}

func TestReplicaBehindForAMinuteIsRollback(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	c := s.client(t, nil, north.serve(t))
	if _, err := c.Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	north.edit = func(string, int64, []byte) (int, []byte) {
		seal := north.seal(1, 0)
		p := identity.NewProblem(identity.Unavailable)
		p.Head, p.Registry = seal.Head, seal.Registry
		return http.StatusServiceUnavailable, must(json.Marshal(p))
	}
	_, err := c.Discover(t.Context(), "otherservice")
	wantCode(t, err, identity.Unavailable)
	s.clock.advance(61 * time.Second)
	_, err = c.Discover(t.Context(), "otherservice")
	wantCode(t, err, identity.Rollback)
}

func TestOlderRecordOfANodeIsLeftOut(t *testing.T) {
	s := newSetup("north", "south")
	north, south := newLab(s.ca, s.clock, "north"), newLab(s.ca, s.clock, "south")
	older, newer := newNode(s.ca, "db-1", start), newNode(s.ca, "db-1", start)
	newer.record.Sequence = 9
	newer.sign(s.ca)
	north.commit(newer)
	south.commit(older)
	if _, err := s.client(t, nil, north.serve(t)).Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	found, err := s.client(t, nil, south.serve(t)).Discover(t.Context(), service)
	if err != nil || len(found.Nodes) != 0 || len(found.LeftOut) != 1 || found.LeftOut[0].Code != identity.Rollback {
		t.Errorf("got %+v, %v; want the older record left out", found, err)
	}
}

func TestEquivocatingNodeStaysOut(t *testing.T) {
	s := newSetup("north", "south")
	north, south := newLab(s.ca, s.clock, "north"), newLab(s.ca, s.clock, "south")
	one, other := newNode(s.ca, "db-1", start), newNode(s.ca, "db-1", start)
	other.record.Endpoints[0].Port = 6666
	other.sign(s.ca)
	north.commit(one)
	south.commit(other)
	c := s.client(t, both, north.serve(t), south.serve(t))
	found, err := c.Discover(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Nodes) != 0 || len(found.LeftOut) != 1 || found.LeftOut[0].Code != identity.Equivocation {
		t.Errorf("got nodes %q, left out %v", names(found.Nodes), found.LeftOut)
	}
	one.record.Sequence++
	one.sign(s.ca)
	north.commit(one)
	found, err = c.Discover(t.Context(), service)
	if err != nil || names(found.Nodes) != "db-1" {
		t.Errorf("got %+v, %v; want the node back with a later record", found, err)
	}
}
