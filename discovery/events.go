package discovery

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/neurons-me/netget/identity"
)

const eventsPath = "/v1/events"

// MaxWait is for how long a registry holds back an answer that has nothing to say
// yet.
const MaxWait = 30 * time.Second

// An EventsQuery says which events are asked for.
type EventsQuery struct {
	Newest  bool          // the newest, else those after After
	After   int64         // an id; 0: from the first on
	Limit   int           // at most so many, 1 to [MaxEvents]
	Service string        // only of its nodes; "": of all
	Node    string        // only of this node of the service, a label; "": of all
	Wait    time.Duration // for the first after After, at most [MaxWait]; 0: not at all
}

// Events asks one registry for its events, and returns which registry answered:
// ids are its own. All of it is that registry's word, which nothing proves.
// Operators may see all, a service node what is about itself; others get
// [identity.Denied].
func (c *Client) Events(ctx context.Context, r *Remote, q EventsQuery) (*EventsPage, identity.NodeID, error) {
	got, err := c.unsigned(ctx, r, func(query url.Values) (*reply, error) {
		query.Set("limit", strconv.Itoa(min(max(q.Limit, 1), MaxEvents)))
		for name, value := range map[string]string{"service": q.Service, "node": q.Node} {
			if value != "" {
				query.Set(name, value)
			}
		}
		if !q.Newest {
			query.Set("after", strconv.FormatInt(q.After, 10))
		}
		return r.await(ctx, eventsPath, query, min(q.Wait, MaxWait))
	})
	if err != nil {
		return nil, identity.NodeID{}, err
	}
	page, err := parseEvents(got.body, q.After)
	return page, got.peer, err
}
