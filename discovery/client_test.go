package discovery_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

func TestDiscoverAsksAllAndJoins(t *testing.T) {
	s := newSetup("north", "south")
	north, south := newLab(s.ca, s.clock, "north"), newLab(s.ca, s.clock, "south")
	one, two := newNode(s.ca, "db-1", start), newNode(s.ca, "db-2", start)
	north.commit(one)
	south.commit(one, two)
	c := s.client(t, both, north.serve(t), south.serve(t))
	found, err := c.Discover(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(found.Nodes); got != "db-1 db-2" || len(found.Registries) != 2 {
		t.Errorf("got %q from %d registries", got, len(found.Registries))
	}
	_, err = c.Discover(t.Context(), "mailservice") // the lab sends the records of another service
	wantCode(t, err, identity.Binding)
}

// both has a client wait for two registries, also for one that is slow.
func both(cfg *discovery.Config) { cfg.MinRegistries = 2 }

func TestOneRegistryDown(t *testing.T) {
	s := newSetup("north", "south")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	down := "https://127.0.0.1:1"
	c := s.client(t, nil, north.serve(t), down)
	found, err := c.Discover(t.Context(), service)
	if err != nil || names(found.Nodes) != "db-1" {
		t.Fatalf("got %v, %v", found, err)
	}
	if len(found.Errors) != 1 || found.Errors[0].URL != down {
		t.Errorf("got errors %v, want one about %s", found.Errors, down)
	}
	c = s.client(t, func(cfg *discovery.Config) { cfg.MinRegistries = 2 }, north.serve(t), down)
	_, err = c.Discover(t.Context(), service)
	wantCode(t, err, identity.Unavailable)
}

// without drops the last entry of a list.
func without(doc []byte, list string) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		return doc
	}
	var entries []json.RawMessage
	if json.Unmarshal(m[list], &entries) != nil {
		return doc
	}
	m[list] = must(json.Marshal(entries[:len(entries)-1]))
	return must(json.Marshal(m))
}

func TestRegistryNotOnTheList(t *testing.T) {
	s := newSetup("south")
	north := newLab(s.ca, s.clock, "north")
	address := north.serve(t)
	asked := 0
	c := s.client(t, func(cfg *discovery.Config) {
		cfg.UpdateList = func(context.Context) error { asked++; return nil }
	}, address)
	for range 3 {
		_, err := c.Discover(t.Context(), service)
		wantCode(t, err, identity.Binding)
	}
	if asked != 1 {
		t.Errorf("the authority was asked %d times within a minute, want once", asked)
	}
	c = s.client(t, func(cfg *discovery.Config) {
		cfg.UpdateList = func(context.Context) error {
			next := *s.source.Identity()
			next.Document.Registries = []identity.KnownRegistry{{Registry: north.id, Addresses: []string{}}}
			return s.source.Replace(&next)
		}
	}, address)
	if _, err := c.Discover(t.Context(), service); err != nil {
		t.Errorf("after the authority has named the registry: %v", err)
	}
}

func TestRegistryOfAnotherNetworkIsRefusedAtTheHandshake(t *testing.T) {
	s, foreign := newSetup("north"), newSetup("north")
	foreign.ca = newForeign()
	north := newLab(foreign.ca, s.clock, "north")
	_, err := s.client(t, nil, north.serve(t)).Discover(t.Context(), service)
	wantCode(t, err, identity.BadCert)
	if asked := north.asked(); len(asked) != 0 {
		t.Errorf("it was asked all the same: %v", asked)
	}
}

func TestRefreshCarriesNewerTokens(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	node := newNode(s.ca, "db-1", start)
	north.commit(node)
	c := s.client(t, nil, north.serve(t))
	for k := int64(1); k <= 3; k++ {
		s.clock.advance(15 * time.Second)
		token, _ := node.chain.Token(k)
		node.beat = identity.Beat{K: k, Token: token}
		found, err := c.Discover(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		if n := found.Nodes[0]; n.Beat.K != k || !n.Live {
			t.Errorf("got beat %d, live %t; want %d", n.Beat.K, n.Live, k)
		}
	}
	if asked := north.asked(); !strings.Contains(strings.Join(asked, " "), "known=") {
		t.Errorf("no refresh was asked for: %v", asked)
	}
	// A token that does not verify proves nothing and fails nothing.
	node.beat = identity.Beat{K: 4, Token: identity.Hash{1}}
	s.clock.advance(15 * time.Second)
	found, err := c.Discover(t.Context(), service)
	if err != nil || found.Nodes[0].Beat.K != 3 {
		t.Errorf("got %v, %v; want the last good token", found, err)
	}
	s.clock.advance(2 * time.Minute)
	found, err = c.Discover(t.Context(), service)
	if err != nil || found.Nodes[0].Live || !found.Nodes[0].Disputed || len(found.Active()) != 0 {
		t.Errorf("got %+v, %v; want a disputed node that is not active", found, err)
	}
}

func TestStaleAnswersEnd(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	node := newNode(s.ca, "db-1", start)
	north.commit(node)
	c := s.client(t, func(cfg *discovery.Config) { cfg.MaxStale = 10 * time.Minute }, north.serve(t))
	if _, err := c.Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	north.edit = func(string, int64, []byte) (int, []byte) { return http.StatusBadGateway, nil }
	found, err := c.Discover(t.Context(), service)
	if err != nil || !found.Stale || names(found.Nodes) != "db-1" || len(found.Errors) != 1 {
		t.Errorf("got %+v, %v; want the last answer, marked stale", found, err)
	}
	s.clock.advance(10*time.Minute + time.Second)
	_, err = c.Discover(t.Context(), service)
	wantCode(t, err, identity.Unavailable) // a stale answer does not outlive MaxStale
}

func TestDivergenceIsNoted(t *testing.T) {
	s := newSetup("north", "south")
	north, south := newLab(s.ca, s.clock, "north"), newLab(s.ca, s.clock, "south")
	north.commit(newNode(s.ca, "db-1", start))
	c := s.client(t, both, north.serve(t), south.serve(t))
	for range 2 {
		if _, err := c.Discover(t.Context(), service); err != nil {
			t.Fatal(err)
		}
		if s.logs.has("divergence") {
			t.Error("noted at once")
		}
		s.clock.advance(time.Minute)
	}
	s.clock.advance(time.Minute)
	if _, err := c.Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if !s.logs.has("divergence") {
		t.Error("not noted after more than two minutes")
	}
}

func TestNewerRevocationListsAreTaken(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	one, two := newNode(s.ca, "db-1", start), newNode(s.ca, "db-2", start)
	north.commit(one, two)
	c := s.client(t, nil, north.serve(t))
	if _, err := c.Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	north.crls = [][]byte{s.ca.CRL(7, one.cred.Leaf())}
	north.commit()
	found, err := c.Discover(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if names(found.Nodes) != "db-2" || len(found.LeftOut) != 1 || found.LeftOut[0].Code != identity.Revoked {
		t.Errorf("got %q, left out %v; want db-1 revoked", names(found.Nodes), found.LeftOut)
	}
	if s.logs.has("crl-rollback") {
		t.Error("a newer list was taken for an older one")
	}
	old := *s.source.Identity()
	old.Bundle = s.ca.Bundle(s.ca.CRL(6))
	if err := s.source.Replace(&old); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if !s.logs.has("crl-rollback") {
		t.Error("an older revocation list came back unnoticed")
	}
}

func TestRepliesThatGrow(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	c := s.client(t, nil, north.serve(t))
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	must(w.Write(make([]byte, discovery.MaxAnswerBytes+1)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, reply := range map[string]struct {
		encoding string
		body     []byte
	}{
		"too long": {"", make([]byte, discovery.MaxAnswerBytes+1)}, "too long when inflated": {"gzip", bomb.Bytes()},
	} {
		t.Run(name, func(t *testing.T) {
			north.header = http.Header{"Content-Encoding": {reply.encoding}}
			north.edit = func(string, int64, []byte) (int, []byte) { return http.StatusOK, reply.body }
			_, err := c.Discover(t.Context(), service)
			wantCode(t, err, identity.Limits)
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	north.header = http.Header{"Location": {"/v1/services/elsewhere?from=0"}}
	north.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if strings.HasSuffix(path, "/elsewhere") {
			return http.StatusOK, doc // a good answer, which nobody has asked for
		}
		return http.StatusFound, nil
	}
	if _, err := s.client(t, nil, north.serve(t)).Discover(t.Context(), service); err == nil {
		t.Error("what a redirect led to was used")
	}
	if asked := north.asked(); slices.ContainsFunc(asked, func(u string) bool { return strings.Contains(u, "elsewhere") }) {
		t.Errorf("the redirect was followed: %v", asked)
	}
}

func TestNoAnswerAsksTheAuthorityForOtherAddresses(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	moved, asked := north.serve(t), 0
	if err := s.source.Update(func(i *identity.Identity) (*identity.Identity, error) {
		next := *i
		next.Document.Registries = []identity.KnownRegistry{{Registry: north.id, Addresses: []string{"https://127.0.0.1:1"}}}
		return &next, nil
	}); err != nil {
		t.Fatal(err)
	}
	c := s.client(t, func(cfg *discovery.Config) {
		cfg.UpdateList = func(context.Context) error {
			asked++
			return s.source.Update(func(i *identity.Identity) (*identity.Identity, error) {
				next := *i
				next.Document.Registries = []identity.KnownRegistry{{Registry: north.id, Addresses: []string{moved}}}
				return &next, nil
			})
		}
	})
	found, err := c.Discover(t.Context(), service)
	if err != nil || names(found.Nodes) != "db-1" || asked != 1 {
		t.Errorf("got %+v, %v after asking %d times; want the node at the registry's new address", found, err, asked)
	}
}

func TestNoRegistryKnown(t *testing.T) {
	s := newSetup()
	_, err := s.client(t, nil).Discover(t.Context(), service)
	if !errors.Is(err, discovery.ErrNoRegistry) {
		t.Errorf("got %v, want ErrNoRegistry", err)
	}
}

func TestServicesAndHead(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	c := s.client(t, nil, north.serve(t))
	lists, _, err := c.Services(t.Context())
	if err != nil || len(lists) != 1 || len(lists[0].Sums) != 1 || lists[0].Sums[0].Count != 1 {
		t.Fatalf("got %+v, %v", lists, err)
	}
	north.edit = func(_ string, _ int64, doc []byte) (int, []byte) { return http.StatusOK, without(doc, "services") }
	_, _, err = c.Services(t.Context())
	wantCode(t, err, identity.Incomplete)
}
