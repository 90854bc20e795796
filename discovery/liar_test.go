package discovery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestOneRegistryAtTwoAddressesIsOne(t *testing.T) {
	s := newSetup("one", "two")
	liar := newLab(s.ca, s.clock, "one")
	c := s.client(t, func(c *discovery.Config) { c.MinRegistries = 2 }, liar.serve(t), liar.serve(t))
	_, err := c.Discover(t.Context(), service)
	wantCode(t, err, identity.Unavailable)
}

func TestLiarCannotKeepRevocationsAway(t *testing.T) {
	s := newSetup("one", "two")
	liar, honest := newLab(s.ca, s.clock, "one"), newLab(s.ca, s.clock, "two")
	n := newNode(s.ca, "db-1", start)
	liar.crls = [][]byte{s.ca.CRL(7, n.cred.Leaf())}
	liar.commit(n)
	honest.crls = liar.crls
	honest.commit()
	liar.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if path == "/v1/bundle" {
			return http.StatusServiceUnavailable, []byte("{}")
		}
		return http.StatusOK, doc
	}
	c := s.client(t, nil, liar.serve(t), honest.serve(t))
	for range 2 { // the liar's first answer may have been opened before the lists came
		if _, err := c.Discover(t.Context(), service); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.Discover(t.Context(), service)
	if err != nil || len(found.Nodes) != 0 {
		t.Errorf("got %q, %v; the honest registry's lists revoke the node", names(found.Nodes), err)
	}
}

func TestUnknownAuthorityDoesNotKeepOtherListsAway(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	n := newNode(s.ca, "db-1", start)
	good, other := s.ca.CRL(7, n.cred.Leaf()), testca.New("production", "other", start)
	l.crls = [][]byte{good}
	l.commit(n)
	l.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if path == "/v1/bundle" {
			d := s.ca.BundleDocument(other.CRL(3), good)
			d.Issuers = append(d.Issuers, other.NodeIssuer.Raw)
			return http.StatusOK, must(json.Marshal(d))
		}
		return http.StatusOK, doc
	}
	found, err := s.client(t, nil, l.serve(t)).Discover(t.Context(), service)
	if err != nil || len(found.Nodes) != 0 {
		t.Errorf("got %q, %v; want the node revoked", names(found.Nodes), err)
	}
	if got := len(s.source.Identity().Bundle.Issuers()); got != 2 {
		t.Errorf("got %d issuers, want those that our own root has signed", got)
	}
}

func TestTakingListsKeepsARenewedCertificate(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	l.crls = [][]byte{s.ca.CRL(7)}
	l.commit()
	renewed := s.ca.Issue(s.ca.ID("client", "alice"))
	l.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if path == "/v1/bundle" {
			if err := s.source.Update(func(c *identity.Identity) (*identity.Identity, error) {
				next := *c
				next.Credential = renewed
				return &next, nil
			}); err != nil {
				t.Error(err)
			}
		}
		return http.StatusOK, doc
	}
	if _, err := s.client(t, nil, l.serve(t)).Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if i := s.source.Identity(); i.Credential.Thumbprint() != renewed.Thumbprint() || len(i.Bundle.CRLs()) != 1 {
		t.Error("a certificate renewed meanwhile, or the lists, were lost")
	}
}

func TestSmallDocumentsDoNotGrowWhenDecoded(t *testing.T) {
	opener := discovery.NewOpener(newForeign().Bundle())
	entries := discovery.MaxServiceRecords + 1
	for name, doc := range map[string][]byte{
		"records":      []byte(`{"records":[` + strings.Repeat(`{},`, entries) + `{}]}`),
		"certificates": []byte(`{"certificates":[` + strings.Repeat(`"",`, entries) + `""]}`),
		"inner lists":  []byte(`{"x":{"y":[` + strings.Repeat(`[],`, entries) + `[]]}}`),
	} {
		_, err := opener.Answer(doc, discovery.Ask{Service: service, Now: start})
		if identity.CodeOf(err) != identity.Limits {
			t.Errorf("%s: got %v, want limits", name, err)
		}
	}
	_, err := opener.Answer(bytes.Repeat([]byte(`"`), 100), discovery.Ask{Now: start})
	wantCode(t, err, identity.Malformed)
}

func TestUnsignedAbsenceIsOnlyAHint(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	n := newNode(s.ca, "db-1", start)
	l.commit(n)
	l.edit = func(path string, _ int64, doc []byte) (int, []byte) {
		if strings.HasSuffix(path, "/db-1") || strings.HasSuffix(path, "/db-2") {
			return http.StatusNotFound, nil
		}
		return http.StatusOK, doc
	}
	c := s.client(t, nil, l.serve(t))
	found, err := c.Node(t.Context(), n.id)
	if err != nil || names(found.Nodes) != "db-1" {
		t.Errorf("got %v, %v; want the node, which the service lists", found, err)
	}
	_, err = c.Node(t.Context(), s.ca.ID(service, "db-2"))
	wantCode(t, err, identity.NotFound)
	l.edit = func(string, int64, []byte) (int, []byte) { return http.StatusNotFound, nil }
	c = s.client(t, nil, l.serve(t))
	_, err = c.Node(t.Context(), n.id)
	wantCode(t, err, identity.Unavailable)
	_, err = c.Discover(t.Context(), service)
	wantCode(t, err, identity.Unavailable)
	_, _, err = c.Services(t.Context())
	wantCode(t, err, identity.Unavailable)
	_, _, err = c.PublishAll(t.Context(), n.signed)
	wantCode(t, err, identity.Unavailable)
}

func TestClassOfTheFirstRuleBroken(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	n := newNode(s.ca, "db-1", start)
	l.commit(n)
	opener := discovery.NewOpener(s.ca.Bundle())
	head := l.heads[1]
	head.Records, head.V, head.IAT, head.Exp = 0, 1, start.Unix(), start.Unix()+30
	open := func(h discovery.Head) error {
		seal := l.seal(2, 0)
		seal.Head = must(identity.Seal(identity.HeadTyp, h, l.signing))
		_, err := opener.Head(must(json.Marshal(discovery.HeadDocument{Seal: seal})), discovery.Ask{Now: start})
		return err
	}
	foreign := head
	foreign.NID = identity.Hash{1}
	wantCode(t, open(foreign), identity.WrongNetwork)
	over := head
	over.IAT, over.Exp, over.Made = start.Unix()-3600, start.Unix()-3570, start.Unix()-3600
	wantCode(t, open(over), identity.Stale)

	a := discovery.NodeAnswer{
		Receipt: discovery.Receipt{Seal: l.seal(2, 0), Status: discovery.Up, RecordPath: []identity.Hash{}, StatusPath: []identity.Hash{}, Notes: []string{}},
		Records: []discovery.AnswerRecord{{Record: n.signed.Token(), Status: discovery.Up}}, Certificates: [][]byte{}, Issuers: [][]byte{},
	}
	_, err := opener.Node(must(json.Marshal(a)), n.id, discovery.Ask{Now: start.Add(time.Hour), Service: service})
	wantCode(t, err, identity.Stale)
}

func TestLaterStateThatIsOverHidesAnEarlierOne(t *testing.T) {
	s := newSetup("one", "two")
	a, b := newLab(s.ca, s.clock, "one"), newLab(s.ca, s.clock, "two")
	older, newer := newNode(s.ca, "db-1", start), newNode(s.ca, "db-1", start)
	newer.record.Sequence, newer.record.Exp = 9, start.Unix()+60
	newer.sign(s.ca)
	a.commit(newer)
	b.commit(older)
	s.clock.advance(200 * time.Second)
	found, err := s.client(t, nil, a.serve(t), b.serve(t)).Discover(t.Context(), service)
	if err != nil || len(found.Nodes) != 0 || len(found.LeftOut) != 1 || found.LeftOut[0].Code != identity.BadTime {
		t.Errorf("got %q, left out %v, %v; the greatest state is over", names(found.Nodes), found.LeftOut, err)
	}
}

func TestHeartbeatsGoToListedRegistriesOnly(t *testing.T) {
	s := newSetup("two")
	unlisted := newLab(s.ca, s.clock, "one")
	n := newNode(s.ca, "db-1", start)
	c := s.client(t, nil, unlisted.serve(t))
	token, _ := n.chain.Token(1)
	_, err := c.Beat(t.Context(), c.Remotes()[0], n.signed, identity.Beat{K: 1, Token: token}, false)
	wantCode(t, err, identity.Binding)
	if asked := unlisted.asked(); slices.ContainsFunc(asked, func(u string) bool { return strings.Contains(u, "heartbeats") }) {
		t.Errorf("the token was sent all the same: %v", asked)
	}
}

func TestMarksGoOnWithoutTheirFileAndComeBack(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	path := filepath.Join(t.TempDir(), "marks.json")
	s.marks = must(discovery.OpenMarks(path))
	if err := os.Mkdir(path+".lock", 0o700); err != nil { // the lock cannot be had
		t.Fatal(err)
	}
	c := s.client(t, nil, l.serve(t))
	must(c.Discover(t.Context(), service))
	if s.marks.Volatile() == nil || s.marks.Registry(l.id) == nil {
		t.Fatal("want marks in memory, and a word about it")
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	must(c.Discover(t.Context(), service))
	if again := must(discovery.OpenMarks(path)); s.marks.Volatile() != nil || again.Registry(l.id) == nil {
		t.Errorf("the marks did not come back to their file: %v", s.marks.Volatile())
	}
}

func TestStoppedProgramDoesNotHoldOthersUp(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	path := filepath.Join(t.TempDir(), "marks.json")
	s.marks = must(discovery.OpenMarks(path))
	f := must(os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600))
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second) // a second each would be more
	defer cancel()
	c := s.client(t, nil, l.serve(t))
	for range 100 { // one wait in all, not one each
		must(c.Discover(ctx, service))
	}
	if s.marks.Volatile() == nil {
		t.Error("the marks claim to be on disk")
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("a hundred questions beside a stopped program: %v", err)
	}
}

func TestWrongTokenIsHashedOnce(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	n := newNode(s.ca, "db-1", start)
	n.beat = identity.Beat{K: 200, Token: identity.Hash{9}}
	l.commit(n)
	s.clock.advance(200 * 15 * time.Second)
	opener := discovery.NewOpener(s.ca.Bundle())
	for range 2 {
		v, err := opener.Answer(l.answer(2, 0), discovery.Ask{Service: service, Now: s.clock.Now()})
		if err != nil || v.Nodes[0].Live {
			t.Errorf("got %v, %v", v, err)
		}
	}
	n.beat.Token, _ = n.chain.Token(200)
	v, err := opener.Answer(l.answer(2, 0), discovery.Ask{Service: service, Now: s.clock.Now()})
	if err != nil || !v.Nodes[0].Live {
		t.Errorf("got %v, %v; the right token was not taken after the wrong one", v, err)
	}
}
