package registry

import (
	"container/list"
	"sync"

	"github.com/neurons-me/netget/identity"
)

// unsent are the bodies of responses under way. A body that many read is kept
// once; but each version of a service has its own, and a caller who reads slowly
// keeps it alive. So there is a limit, above which responses end: the oldest of
// the identity that weighs most, so that nobody pays for another. What several
// responses share weighs on each only its share.
type unsent struct {
	most int64

	mu     sync.Mutex
	bytes  int64                       // guarded by mu; of all parts
	parts  map[*byte]*part             // guarded by mu; by their first byte
	owners map[identity.NodeID]*holder // guarded by mu; those with a response under way
	cut    int64                       // guarded by mu; responses ended so far
}

// A part is a piece of memory that responses wait to be rid of.
type part struct {
	first     *byte
	bytes     int64
	responses int // that hold it
}

// A holder is an identity with responses under way.
type holder struct {
	id     identity.NodeID
	oldest list.List // of *sending, the oldest first
}

// A sending is one response under way.
type sending struct {
	owner *holder
	parts []*part
	end   func() error  // ends the connection
	place *list.Element // nil when it is over
}

func newUnsent(most int64) *unsent {
	return &unsent{most: most, parts: map[*byte]*part{}, owners: map[identity.NodeID]*holder{}}
}

// begin notes that a body is being sent to an identity; end ends its connection.
// The caller calls [unsent.done] after.
func (u *unsent) begin(to identity.NodeID, body [][]byte, end func() error) *sending {
	s := &sending{end: end}
	for _, old := range u.add(to, body, s) {
		_ = old.end() // it has had its time
	}
	return s
}

// add returns the responses that have to end.
func (u *unsent) add(to identity.NodeID, body [][]byte, s *sending) (over []*sending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.owner = u.owners[to]; s.owner == nil {
		s.owner = &holder{id: to}
		u.owners[to] = s.owner
	}
	s.place = s.owner.oldest.PushBack(s)
	for _, b := range body {
		if len(b) > 0 {
			s.parts = append(s.parts, u.hold(b))
		}
	}
	for u.bytes > u.most {
		old := u.next(s)
		if old == nil {
			break
		}
		u.drop(old)
		u.cut++
		over = append(over, old)
	}
	return over
}

// hold counts one more response for a part. The caller holds mu.
func (u *unsent) hold(b []byte) *part {
	p := u.parts[&b[0]]
	if p == nil {
		p = &part{first: &b[0], bytes: int64(len(b))}
		u.parts[p.first] = p
		u.bytes += p.bytes
	}
	p.responses++
	return p
}

// next returns the response that ends first: the oldest of the heaviest identity
// but s, which has just begun; nil: there is no other. The caller holds mu.
func (u *unsent) next(s *sending) (heaviest *sending) {
	most := -1.0
	for _, h := range u.owners {
		if old, ok := h.oldest.Front().Value.(*sending); ok && old != s {
			if weight := h.weight(); weight > most {
				heaviest, most = old, weight
			}
		}
	}
	return heaviest
}

// weight returns the bytes that the holder keeps, of each part its share.
func (h *holder) weight() (sum float64) {
	for e := h.oldest.Front(); e != nil; e = e.Next() {
		if s, ok := e.Value.(*sending); ok {
			for _, p := range s.parts {
				sum += float64(p.bytes) / float64(p.responses)
			}
		}
	}
	return sum
}

// done notes that a response is over.
func (u *unsent) done(s *sending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(s)
}

// drop forgets a response, once. The caller holds mu.
func (u *unsent) drop(s *sending) {
	if s.place == nil {
		return
	}
	s.owner.oldest.Remove(s.place)
	s.place = nil
	if s.owner.oldest.Len() == 0 {
		delete(u.owners, s.owner.id)
	}
	for _, p := range s.parts {
		if p.responses--; p.responses == 0 {
			u.bytes -= p.bytes
			delete(u.parts, p.first)
		}
	}
}

// numbers returns the bytes that are held now, and how many responses were
// ended for them.
func (u *unsent) numbers() (bytes, cut int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bytes, u.cut
}
