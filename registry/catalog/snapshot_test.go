package catalog_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

func TestEmptyStoreBeginsWithVersionOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		head := w.catalog.Snapshot().Head()
		if head.Version != 1 || head.Services != 0 || head.Records != 0 || !head.Root.IsZero() {
			t.Errorf("got %+v, want version 1 of the empty map", head)
		}
		if got := string(w.store.Contents().Versions[1].Changes); got != "[]" {
			t.Errorf("change list of version 1: got %s, want []", got)
		}
		if v := w.view(t, "billing", nil); v.Found {
			t.Error("an empty network has a service")
		}
	})
}

func TestEverythingServedVerifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		mark := w.catalog.Snapshot().Head().Mark()
		a, b, other := w.node(t, "billing", "b-1"), w.node(t, "billing", "b-2"), w.node(t, "search", "s-1")
		s := a.record(t)
		out := a.put(t, s)
		b.register(t)
		other.register(t)

		if diff := cmp.Diff([]string{"b-1", "b-2"}, w.listed(t, "billing")); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		snapshot := w.catalog.Snapshot()
		view := w.view(t, "billing", &mark)

		receipt, err := out.Snapshot.Receipt(a.id(), mark.Version, w.now().Unix(), []string{"no probes"})
		if err != nil {
			t.Fatal(err)
		}
		listing, err := w.opener.Receipt(asJSON(t, receipt), s, w.ask("billing", &mark))
		if err != nil {
			t.Fatalf("opening the receipt: %v", err)
		}
		if listing.Status != discovery.Up || listing.Since != out.Snapshot.Head().Made {
			t.Errorf("listed as %s since %d, want up since %d", listing.Status, listing.Since, out.Snapshot.Head().Made)
		}

		refresh, err := snapshot.Refresh("billing", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.opener.Refresh(asJSON(t, refresh), view, w.ask("billing", nil)); err != nil {
			t.Errorf("opening a refresh: %v", err)
		}

		list, err := snapshot.ServiceList(0)
		if err != nil {
			t.Fatal(err)
		}
		_, sums, err := w.opener.Services(asJSON(t, list), w.ask("", nil))
		if err != nil || len(sums) != 2 || sums[0].Service != "billing" || sums[0].Count != 2 {
			t.Errorf("services: got %+v, %v", sums, err)
		}

		answer, err := snapshot.Node(b.id(), 0, w.now().Unix())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.opener.Node(asJSON(t, answer), b.id(), w.ask("billing", nil)); err != nil {
			t.Errorf("opening the answer about a node: %v", err)
		}
		if _, err := snapshot.Node(w.ca.ID("billing", "b-9"), 0, 0); identity.CodeOf(err) != identity.NotFound {
			t.Errorf("an unknown node: got %v, want not-found", err)
		}

		seal, err := snapshot.Seal(mark.Version)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.opener.Head(asJSON(t, discovery.HeadDocument{Seal: seal}), w.ask("", &mark)); err != nil {
			t.Errorf("opening a head: %v", err)
		}
	})
}

func TestVersionsBeyondOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		s := w.catalog.Snapshot()
		_, err := s.Seal(2)
		wantClass(t, err, identity.Unavailable)
		_, err = s.Consistency(1, 2)
		wantClass(t, err, identity.Unavailable)
		_, err = s.Consistency(0, 1)
		wantClass(t, err, identity.Malformed)
		_, err = s.Consistency(1, 1)
		wantClass(t, err, identity.Malformed)
	})
}

func TestHeadIsSignedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		first := w.catalog.Snapshot()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		second := w.catalog.Snapshot()
		if age := second.Head().IAT - first.Head().IAT; age != 5 {
			t.Errorf("signed again after %d s, want 5", age)
		}
		if second.Head().Version != 1 || second.Service("x") != nil {
			t.Errorf("signing again made version %d", second.Head().Version)
		}
		w.view(t, "billing", nil)
	})
}

func TestUnchangedServicesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.node(t, "billing", "b-1").register(t)
		before := w.catalog.Snapshot()
		w.node(t, "search", "s-1").register(t)
		after := w.catalog.Snapshot()
		if before.Service("billing") != after.Service("billing") {
			t.Error("a service that did not change was rebuilt")
		}
		if before.Service("search") != nil {
			t.Error("an older snapshot shows a later service")
		}
		if got := len(before.Services()); got != 1 {
			t.Errorf("an older snapshot lists %d services, want 1", got)
		}
	})
}

func TestAnswerCarriesHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		a, err := w.catalog.Snapshot().Answer("billing", 0)
		if err != nil || a.Records[0].Heartbeat != nil {
			t.Fatalf("before the first heartbeat: got %s, %v", a.Records[0].Heartbeat, err)
		}
		time.Sleep(15 * time.Second)
		n.beat(t, s.RID(), 1)
		a, err = w.catalog.Snapshot().Answer("billing", 0)
		if err != nil {
			t.Fatal(err)
		}
		var b identity.Beat
		if err := json.Unmarshal(a.Records[0].Heartbeat, &b); err != nil || b.K != 1 {
			t.Errorf("got heartbeat %+v, %v, want the first", b, err)
		}
	})
}
