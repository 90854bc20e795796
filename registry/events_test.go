package registry_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// events asks for a page of events.
func events(t *testing.T, c *http.Client, query, prefer string) (discovery.EventsPage, reply) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if prefer != "" {
		req.Header.Set("Prefer", prefer)
	}
	got, err := send(t, c, req)
	if err != nil {
		t.Fatal(err)
	}
	var page discovery.EventsPage
	if got.status == http.StatusOK {
		if err := json.Unmarshal(got.body, &page); err != nil {
			t.Fatal(err)
		}
	}
	return page, got
}

func TestEventsOfAllNodesAreForOperators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := newWorld(t, "production", time.Now), newPipeListener()
		servePipe(t, w, l)
		one, two, mail := w.ca.ID("billing", "b-1"), w.ca.ID("billing", "b-2"), w.ca.ID("mail", "m-1")
		for _, id := range []identity.NodeID{one, two, mail} {
			registerDirectly(t, w, id)
		}
		operator := over(t, w, l.dial(), w.ca.Issue(w.ca.ID("operator", "olga")))
		node := over(t, w, l.dial(), w.ca.Issue(one))
		for _, tt := range []struct {
			client *http.Client
			query  string
			want   string
		}{
			{operator, "", "b-1 b-2 m-1"},
			{operator, "?service=billing", "b-1 b-2"},
			{operator, "?service=bill", ""},
			{operator, "?service=billing&node=b-2", "b-2"},
			{operator, "?limit=1", "m-1"},
			{operator, "?after=0&limit=1", "b-1"},
			{operator, "?after=1&limit=2", "b-1 b-2"},
			{node, "", "b-1"},
			{node, "?service=billing&node=b-1", "b-1"},
		} {
			page, got := events(t, tt.client, tt.query, "")
			want(t, got, http.StatusOK)
			var labels []string
			for _, e := range page.Events {
				if labels = append(labels, e.Node.Label()); e.Reason != "registered" || e.To.String() != "up" || e.From != 0 || e.ID > page.Next {
					t.Errorf("%q: %+v", tt.query, e)
				}
			}
			if got := strings.Join(labels, " "); got != tt.want {
				t.Errorf("%q: events of %q, want %q", tt.query, got, tt.want)
			}
		}
		for query, class := range map[string]identity.Code{
			"?limit=0": identity.Malformed, "?limit=1001": identity.Malformed, "?limit=01": identity.Malformed, "?after=-1": identity.Malformed,
			"?node=b-1": identity.Malformed, "?service=B": identity.Malformed, "?service=a&service=b": identity.Malformed,
		} {
			_, got := events(t, operator, query, "")
			refused(t, got, http.StatusBadRequest, class)
		}
		_, got := events(t, node, "?service=billing&node=b-2", "")
		refused(t, got, http.StatusForbidden, identity.Denied)
		_, got = events(t, over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "laptop"))), "", "")
		refused(t, got, http.StatusForbidden, identity.Denied)
	})
}

func TestEventsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := newWorld(t, "production", time.Now), newPipeListener()
		stop := servePipe(t, w, l).stop
		registerDirectly(t, w, w.ca.ID("billing", "b-1"))
		operator := over(t, w, l.dial(), w.ca.Issue(w.ca.ID("operator", "olga")))
		page, _ := events(t, operator, "", "wait=30")
		after := "?after=" + strconv.FormatInt(page.Next, 10)
		began := time.Now()
		if page, _ := events(t, operator, after, ""); len(page.Events) != 0 || time.Since(began) != 0 {
			t.Errorf("who does not want to wait got %d events after %s", len(page.Events), time.Since(began))
		}
		if page, _ := events(t, operator, after, `Wait="7";x=y, handling=lenient`); len(page.Events) != 0 || time.Since(began) != 7*time.Second {
			t.Errorf("%d events after %s, want none after 7 s", len(page.Events), time.Since(began))
		}
		began = time.Now()
		time.AfterFunc(3*time.Second, func() { registerDirectly(t, w, w.ca.ID("billing", "b-2")) })
		next, _ := events(t, operator, after, "wait=3600")
		if len(next.Events) != 1 || next.Events[0].Node.Label() != "b-2" || time.Since(began).Truncate(time.Second) != 3*time.Second {
			t.Errorf("got %+v after %s, want that of b-2 after 3 s", next.Events, time.Since(began))
		}
		began = time.Now()
		if page, _ := events(t, operator, "?after="+strconv.FormatInt(next.Next, 10), "wait=3600"); len(page.Events) != 0 || time.Since(began) != 30*time.Second {
			t.Errorf("%d events after %s, want none after 30 s", len(page.Events), time.Since(began))
		}
		began = time.Now()
		stopped := make(chan struct{})
		time.AfterFunc(time.Second, func() { stop(); close(stopped) })
		if _, got := events(t, operator, "?after="+strconv.FormatInt(next.Next, 10), "wait=30"); got.status != http.StatusOK || time.Since(began) != time.Second {
			t.Errorf("when the registry stopped: %d after %s, want 200 at once", got.status, time.Since(began))
		}
		<-stopped // a clean-up that stops it too would wait for a lock, and the clock with it
	})
}
