package pki

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/internal/recent"
)

// maxStrangers bounds the addresses that are remembered; twice as many may be
// for a while.
const maxStrangers = 16_384

// strangerBodyTimeout is for how long a caller without certificate may send its
// request's body: what has come of it stays in memory, and costs it nothing.
const strangerBodyTimeout = 5 * time.Second

// strangers count, by address, what callers without certificate ask and what
// they are refused: a refusal costs us a signature's check and a log entry, and
// them nothing. Time is the process's own, which nobody sets back.
type strangers struct {
	most limits

	mu   sync.Mutex
	seen *recent.Table[netip.Addr, *stranger] // guarded by mu
}

// A stranger is what one address may still do.
type stranger struct{ requests, refusals bucket }

// A visit is one request of a caller without certificate. It takes a refusal
// before it is judged, so that those that come at once are not all judged on
// the last one, and gives it back when it was not refused.
type visit struct {
	by      *stranger // nil where a load balancer stands for many
	refused bool
}

func newStrangers(most limits) *strangers {
	return &strangers{most: most, seen: recent.New[netip.Addr, *stranger](maxStrangers)}
}

// enter begins a visit, or refuses one that comes too soon; [identity.Busy].
func (s *strangers) enter(remote string) (*visit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	who := s.seen.Of(connlimit.Address(remote), func() *stranger {
		return &stranger{newBucket(s.most.requests, s.most.requestBurst, now), newBucket(s.most.refusals, s.most.refusalBurst, now)}
	})
	if !who.requests.take(now) {
		return nil, identity.Refuse(identity.Busy, "too many requests from this address")
	}
	if !who.refusals.take(now) {
		return nil, identity.Refuse(identity.Busy, "too many refusals from this address")
	}
	return &visit{by: who}, nil
}

// leave ends a visit.
func (s *strangers) leave(v *visit) {
	if v.by == nil || v.refused {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.by.refusals.give()
}

// visited lets a caller without certificate in, and hands its request on with
// the visit. One that comes too soon is answered before anything is done for it,
// and not logged: that would give it more of our log than the refusals have.
func (ca *CA) visited(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	v := &visit{}
	if !ca.limiter.Exempts(r.RemoteAddr) {
		var err error
		if v, err = ca.strangers.enter(r.RemoteAddr); err != nil {
			ca.audit.count(callOf(r).network, routeOf(r), identity.CodeOf(err))
			problemOf(err).write(w)
			return
		}
	}
	c := callOf(r)
	c.visit = v
	next(w, r.WithContext(within(r.Context(), c)))
	ca.strangers.leave(v) // not after a panic: that was no good request
}

// hurry gives a body its time, also where nobody asks for it: net/http reads on
// after an answer. It ends with the body: from there net/http waits without a
// deadline for what comes next, to learn that the caller is gone.
func hurry(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(strangerBodyTimeout)) // exists wherever net/http serves
}

// denied notes a refusal for the log and against the visit, if it was one.
// Failures of our own are nobody's fault.
func (ca *CA) denied(r *http.Request, err error) {
	c, code := callOf(r), identity.CodeOf(err)
	if c.visit != nil && code != "" && code != identity.Unavailable {
		c.visit.refused = true
	}
	ca.audit.denied(r.Context(), c, routeOf(r), r.RemoteAddr, err)
}
