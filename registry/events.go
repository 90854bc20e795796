package registry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// getEvents tells what happened to nodes: an operator all, a node its own.
func (s *Server) getEvents(c *call) error {
	q, err := eventQuery(c)
	if err != nil {
		return err
	}
	if _, err := c.snapshot(); err != nil {
		return err
	}
	wait := waitOf(c.r)
	if wait > 0 {
		end, err := s.waits.begin(c.caller.id())
		if err != nil {
			return err
		}
		defer end()
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), wait)
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	rows, err := c.network.catalog.Events(ctx, q, wait > 0)
	if err != nil {
		return err
	}
	page := discovery.EventsPage{Events: make([]discovery.Event, 0, len(rows)), Next: q.After}
	for _, r := range rows {
		page.Events = append(page.Events, discovery.Event{
			ID: r.ID, Time: r.Time, Node: discovery.Subject{NodeID: r.Node}, From: discovery.Standing(r.From), To: discovery.Standing(r.To),
			Reason: r.Reason, Evidence: r.Evidence, Disputed: r.Disputed,
		})
		page.Next = r.ID
	}
	return c.sendJSON(http.StatusOK, jsonType, page)
}

// eventQuery reads which events are wanted, and refuses whom they do not concern.
func eventQuery(c *call) (q catalog.EventQuery, err error) {
	if q.After, err = version(c.query, "after"); err != nil {
		return q, err
	}
	q.Newest = !c.query.Has("after")
	if q.Limit, err = eventLimit(c); err != nil {
		return q, err
	}
	if q.Service, q.Node, err = subject(c); err != nil {
		return q, err
	}
	switch own := c.caller.id(); own.Type() {
	case identity.OperatorNode:
		return q, nil
	case identity.ServiceNode, identity.RegistryNode:
		if (q.Service == "" || q.Service == own.Service()) && (q.Node.IsZero() || q.Node == own) {
			q.Service, q.Node = "", own
			return q, nil
		}
	case identity.ClientNode:
	}
	return q, identity.Refuse(identity.Denied, "%s asks for the events of others", c.caller.id())
}

func eventLimit(c *call) (int, error) {
	text, found, err := one(c.query, "limit")
	if err != nil || !found {
		return discovery.MaxEvents, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > discovery.MaxEvents || strconv.Itoa(n) != text {
		return 0, identity.Refuse(identity.Malformed, "%.32q is not a limit from 1 to %d", text, discovery.MaxEvents)
	}
	return n, nil
}

// subject reads of whom events are wanted: of a node, of a service, of all.
func subject(c *call) (service string, node identity.NodeID, err error) {
	service, found, err := one(c.query, "service")
	if err != nil {
		return "", node, err
	}
	label, narrow, err := one(c.query, "node")
	if err != nil {
		return "", node, err
	}
	switch {
	case narrow:
		node, err = identity.NewNodeID(c.caller.bundle.TrustDomain(), service, label)
		return "", node, err
	case found:
		return service, node, identity.CheckService(service)
	}
	return "", node, nil
}

// waitOf returns for how long the caller would wait (RFC 7240 section 4.3); 0:
// not at all.
func waitOf(r *http.Request) time.Duration {
	for _, field := range r.Header["Prefer"] {
		for preference := range strings.SplitSeq(field, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 16)
			if strings.EqualFold(strings.TrimSpace(name), "wait") && err == nil {
				return min(time.Duration(seconds)*time.Second, discovery.MaxWait)
			}
		}
	}
	return 0
}
