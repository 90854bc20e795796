package catalog

import (
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/identity"
)

// Versioning returns a step that makes the next version of a network with
// the given services, of which one has changed: directory, map, leaf and log, in
// the manner of the committer but without records to verify.
func Versioning(services []*discovery.Service) func(*discovery.Service) error {
	shelves := make(map[string]shelf, len(services))
	for _, s := range services {
		shelves[s.Name()] = shelf{service: s}
	}
	nid := identity.Hash{1}
	now := &state{services: directory{}.with(shelves), tree: (prefixmap.Map{}).Apply(mapChanges(shelves, nid))}
	return func(changed *discovery.Service) error {
		change := map[string]shelf{changed.Name(): {service: changed}}
		next := &state{head: now.head, services: now.services.with(change), tree: now.tree.Apply(mapChanges(change, nid))}
		next.head.Version++
		next.head.Root = next.tree.Root()
		if _, err := next.seal(now); err != nil {
			return err
		}
		now = next
		return nil
	}
}

// CheckRoom asks whether a service of the given size takes one more record.
func CheckRoom(s *discovery.Service, bytes, more int64) error {
	base := &state{services: directory{}.with(map[string]shelf{s.Name(): {s, bytes}})}
	return newBuilder(base, 0, identity.Hash{}).checkRoom(s.Name(), 1, more)
}

// Waiting is how many wait for events.
func (c *Catalog) Waiting() int {
	c.news.mu.Lock()
	defer c.news.mu.Unlock()
	return len(c.news.waiting)
}
