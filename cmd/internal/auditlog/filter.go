package auditlog

import (
	"net"
	"slices"
	"strings"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
)

// A filter says which entries are wanted. Zero members want all.
type filter struct {
	since, until              time.Time
	events                    []audit.Event
	node, actor, rid, network string
	code                      identity.Code
}

// wants reports whether an entry is shown.
func (f filter) wants(e audit.Entry) bool {
	switch {
	case !f.since.IsZero() && e.Time.Before(f.since),
		!f.until.IsZero() && !e.Time.Before(f.until),
		len(f.events) > 0 && !slices.Contains(f.events, e.Event),
		f.node != "" && !names(e.Node, f.node),
		f.actor != "" && !names(e.Actor, f.actor) && !comesFrom(e.Remote, f.actor),
		f.rid != "" && e.RID != f.rid,
		f.network != "" && e.Network != f.network,
		f.code != "" && e.Code != f.code:
		return false
	}
	return true
}

// names reports whether a person means this identity: in full, by its label or
// by service and label.
func names(id, meant string) bool {
	return id == meant || strings.HasSuffix(id, "/"+strings.TrimPrefix(meant, "/"))
}

// comesFrom reports whether an address is meant, with its port or without.
func comesFrom(remote, meant string) bool {
	if remote == meant {
		return remote != ""
	}
	host, _, err := net.SplitHostPort(remote)
	return err == nil && host == meant
}

// events reads the names of events.
func events(words []string) ([]audit.Event, error) {
	var list []audit.Event
	for _, word := range words {
		e := audit.Event(word)
		if !slices.Contains(audit.Events(), e) {
			return nil, cli.Hint(cli.Usage("--event: there is no event %q", word), "use one of: %s", strings.Join(eventNames(), ", "))
		}
		list = append(list, e)
	}
	return list, nil
}

func eventNames() []string {
	var list []string
	for _, e := range audit.Events() {
		list = append(list, string(e))
	}
	return list
}
