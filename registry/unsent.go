package registry

import (
	"container/list"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

// youth is for how long a body counts as one that others may ask for too after
// it was last asked for.
const youth = 2 * maxCacheAge

// unsent are the bodies of responses under way. A body that many read is kept
// once; but each version of a service has its own, and a caller who reads slowly
// keeps it alive. So there is a limit, above which responses end: the oldest of
// the identity that weighs most, so that nobody pays for another. A body weighs
// on each of its responses its share; but in full once nobody asks for it any
// more, so that those who keep it alive together gain nothing by being many.
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
	responses int       // that hold it
	asked     time.Time // for the last time
}

// A holder is an identity with responses under way.
type holder struct {
	id     identity.NodeID
	oldest list.List // of *sending, the oldest first
	weight float64   // as of the last weighing, less what has ended since
}

// A sending is one response under way.
type sending struct {
	owner  *holder
	parts  []*part
	weight float64       // as of the last weighing
	end    func() error  // ends the connection
	place  *list.Element // nil when it is over
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
	now := time.Now() // of this process alone
	for _, b := range body {
		if len(b) > 0 {
			s.parts = append(s.parts, u.hold(b, now))
		}
	}
	if u.bytes <= u.most {
		return nil
	}
	u.weigh(now)
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
func (u *unsent) hold(b []byte, now time.Time) *part {
	p := u.parts[&b[0]]
	if p == nil {
		p = &part{first: &b[0], bytes: int64(len(b))}
		u.parts[p.first] = p
		u.bytes += p.bytes
	}
	p.responses++
	p.asked = now
	return p
}

// weigh finds what everything weighs now. The caller holds mu.
func (u *unsent) weigh(now time.Time) {
	for _, h := range u.owners {
		h.weight = 0
		for e := h.oldest.Front(); e != nil; e = e.Next() {
			if s, ok := e.Value.(*sending); ok {
				s.weight = s.weigh(now)
				h.weight += s.weight
			}
		}
	}
}

func (s *sending) weigh(now time.Time) (sum float64) {
	for _, p := range s.parts {
		if now.Sub(p.asked) > youth {
			sum += float64(p.bytes)
		} else {
			sum += float64(p.bytes) / float64(p.responses)
		}
	}
	return sum
}

// next returns the response that ends first: the oldest of the heaviest identity
// but s, which has just begun; nil: there is no other. The caller holds mu.
func (u *unsent) next(s *sending) (heaviest *sending) {
	for _, h := range u.owners {
		if old, ok := h.oldest.Front().Value.(*sending); ok && old != s && (heaviest == nil || h.weight > heaviest.owner.weight) {
			heaviest = old
		}
	}
	return heaviest
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
	s.owner.weight -= s.weight
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
