package discovery

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/neurons-me/netget/identity"
)

// Discover asks all registries for a service and joins what they verifiably
// say. While none answers, the last answer serves for at most MaxStale.
func (c *Client) Discover(ctx context.Context, service string) (*Found, error) {
	if err := identity.CheckService(service); err != nil {
		return nil, err
	}
	views, errs, err := each(ctx, c, func(ctx context.Context, r *Remote) (answeredView, error) {
		v, err := c.ask(ctx, r, service)
		return answeredView{r.URL(), v}, err
	})
	if err != nil {
		if stale := c.stale(service, errs); stale != nil && len(views) == 0 {
			return stale, nil
		}
		return &Found{Service: service, Errors: errs}, err
	}
	views = newest(views)
	found := join(service, views, c.cfg.Now())
	found.Errors = errs
	c.watchDivergence(ctx, service, views)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[service] = found
	return found, nil
}

// ask asks one registry. Where it answered before, a refresh will do while the
// service has not changed.
func (c *Client) ask(ctx context.Context, r *Remote, service string) (*View, error) {
	key := viewKey{r.URL(), service}
	c.mu.Lock()
	before := c.views[key]
	c.mu.Unlock()
	if c.cfg.KeepDocuments {
		before = nil // a refresh is no document of its own
	}
	query := url.Values{}
	if before != nil {
		query.Set("known", known(before))
	}
	var view *View
	err := c.exchange(ctx, r, get("/v1/services/"+service, query, func(o *Opener, got *reply, ask Ask) (Head, map[identity.NodeID]NodeMark, error) {
		ask.Service = service
		var err error
		if before != nil && got.header.Get("Content-Type") == RefreshType {
			view, err = o.Refresh(got.body, before, ask)
		} else {
			view, err = o.Answer(got.body, ask)
		}
		if err != nil {
			return Head{}, nil, err
		}
		if c.cfg.KeepDocuments {
			view.document = got.body
		}
		return view.Head, view.marks, nil
	}))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		delete(c.views, key)
		return nil, err
	}
	c.views[key] = view
	return view, nil
}

// known is what a caller says that it has: the value, or "" for none.
func known(v *View) string {
	if !v.Found {
		return ""
	}
	return v.Value.String()
}

// Node asks all registries for one node. A registry that says there is none
// proves nothing by it: then the whole service is asked for, and a node that is
// missing there verifiably is not listed.
func (c *Client) Node(ctx context.Context, node identity.NodeID) (*Found, error) {
	views, errs, err := each(ctx, c, func(ctx context.Context, r *Remote) (answeredView, error) {
		var view *View
		q := get("/v1/services/"+node.Service()+"/"+node.Label(), nil, func(o *Opener, got *reply, ask Ask) (Head, map[identity.NodeID]NodeMark, error) {
			ask.Service = node.Service()
			v, err := o.Node(got.body, node, ask)
			if err != nil {
				return Head{}, nil, err
			}
			view = v
			return v.Head, v.marks, nil
		})
		q.hint = true
		return answeredView{r.URL(), view}, c.exchange(ctx, r, q)
	})
	if slices.ContainsFunc(errs, func(e *RegistryError) bool { return identity.CodeOf(e.Err) == identity.NotFound }) {
		return c.nodeOfService(ctx, node)
	}
	if err != nil {
		return &Found{Service: node.Service(), Errors: errs}, err
	}
	found := join(node.Service(), newest(views), c.cfg.Now())
	found.Errors = errs
	return found, nil
}

// nodeOfService finds a node among all of its service; none is
// [identity.NotFound].
func (c *Client) nodeOfService(ctx context.Context, node identity.NodeID) (*Found, error) {
	all, err := c.Discover(ctx, node.Service())
	if err != nil {
		return all, err
	}
	found := *all
	found.Nodes = slices.DeleteFunc(slices.Clone(all.Nodes), func(n Node) bool { return n.Record.Node != node })
	found.LeftOut = slices.DeleteFunc(slices.Clone(all.LeftOut), func(l LeftOut) bool { return l.ID != node })
	if len(found.Nodes)+len(found.LeftOut) == 0 {
		return &found, identity.Refuse(identity.NotFound, "%s verifiably is not listed", node)
	}
	return &found, nil
}

// A Services is what one registry verifiably lists.
type Services struct {
	Answered
	Sums []ServiceSum // sorted by service
}

// Services asks all registries for the network's services.
func (c *Client) Services(ctx context.Context) ([]Services, []*RegistryError, error) {
	lists, errs, err := each(ctx, c, func(ctx context.Context, r *Remote) (Services, error) {
		var got Services
		err := c.exchange(ctx, r, get("/v1/services", nil, func(o *Opener, rep *reply, ask Ask) (Head, map[identity.NodeID]NodeMark, error) {
			head, sums, err := o.Services(rep.body, ask)
			got = Services{Answered{URL: r.URL(), Registry: head.Registry, Head: head}, sums}
			return head, nil, err
		}))
		return got, err
	})
	return newest(lists), errs, err
}

// Heads asks all registries for their heads: who is there, how far, and by how
// much its clock differs from ours.
func (c *Client) Heads(ctx context.Context) ([]Answered, []*RegistryError, error) {
	return each(ctx, c, c.Head)
}

// Head asks one registry for its head.
func (c *Client) Head(ctx context.Context, r *Remote) (Answered, error) {
	var got Answered
	err := c.exchange(ctx, r, get("/v1/head", nil, func(o *Opener, rep *reply, ask Ask) (Head, map[identity.NodeID]NodeMark, error) {
		head, err := o.Head(rep.body, ask)
		got = Answered{URL: r.URL(), Registry: head.Registry, Head: head}
		if date, dateErr := http.ParseTime(rep.header.Get("Date")); dateErr == nil {
			got.Date = date
		}
		return head, nil, err
	}))
	return got, err
}

// stale returns the last answer as far as its signed times still allow, nil
// when there is none. It stands in for registries that do not answer, never for
// one that answered with what did not verify.
func (c *Client) stale(service string, errs []*RegistryError) *Found {
	if slices.ContainsFunc(errs, isUntrusted) {
		return nil
	}
	c.mu.Lock()
	last := c.last[service]
	c.mu.Unlock()
	now := c.cfg.Now()
	if last == nil || c.cfg.MaxStale <= 0 || now.Sub(last.At) > c.cfg.MaxStale {
		return nil
	}
	stale := *last
	stale.Stale, stale.Errors = true, errs
	stale.Nodes = slices.DeleteFunc(slices.Clone(last.Nodes), func(n Node) bool { return now.Unix() >= n.Record.Exp })
	return &stale
}

// isUntrusted reports whether an address sent something that did not verify.
func isUntrusted(e *RegistryError) bool {
	code := identity.CodeOf(e.Err)
	return code != "" && code != identity.Unavailable && code != identity.Busy && !isProblem(e.Err)
}

// maxApart is for how long a node may be listed at one registry and not at
// another before that is worth a word.
const maxApart = 2 * time.Minute

type divergence struct {
	node     identity.NodeID
	registry identity.NodeID // where it is missing
}

// watchDivergence notes where registries disagree for long about who is there.
func (c *Client) watchDivergence(ctx context.Context, service string, views []answeredView) {
	now := c.cfg.Now()
	missing := map[divergence]struct{}{}
	for _, node := range join(service, views, now).Nodes {
		for _, v := range views {
			if !v.view.has(node.Record.Node) {
				missing[divergence{node.Record.Node, v.view.Head.Registry}] = struct{}{}
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range c.apart {
		if _, still := missing[d]; !still && d.node.Service() == service {
			delete(c.apart, d)
		}
	}
	for d := range missing {
		since, known := c.apart[d]
		if !known {
			c.apart[d] = now
			continue
		}
		if now.Sub(since) > maxApart {
			c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "divergence", slog.String("node", d.node.String()), slog.String("missing_at", d.registry.String()), slog.Time("since", since))
			c.apart[d] = now
		}
	}
}
