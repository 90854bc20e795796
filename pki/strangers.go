package pki

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/identity"
)

// maxStrangers bounds the addresses that are remembered; twice as many may be
// for a while.
const maxStrangers = 16_384

// strangers count what callers without certificate are refused, by address: a
// refusal costs us a signature's check and a log entry, and them nothing. The
// table is bounded: when one generation is full it becomes the old one, and who
// is not refused until the next is full starts anew. Time is the process's own,
// which nobody sets back.
type strangers struct {
	rate  rate.Limit
	burst int

	mu       sync.Mutex
	now, old map[netip.Prefix]*rate.Limiter // guarded by mu
}

func newStrangers(most limits) *strangers {
	return &strangers{rate: most.refusals, burst: most.refusalBurst, now: map[netip.Prefix]*rate.Limiter{}}
}

// check refuses a caller that was refused too often; [identity.Busy]. Who was
// never refused costs no place in the table.
func (s *strangers) check(remote string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known(addressOf(remote)); known != nil && known.TokensAt(time.Now()) < 1 {
		return identity.Refuse(identity.Busy, "too many refusals from this address")
	}
	return nil
}

// refused notes that a caller was refused.
func (s *strangers) refused(remote string) {
	addr := addressOf(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.known(addr)
	if mine == nil {
		mine = rate.NewLimiter(s.rate, s.burst)
	}
	mine.AllowN(time.Now(), 1)
	if s.now[addr] != nil {
		return
	}
	if len(s.now) >= maxStrangers {
		s.old, s.now = s.now, map[netip.Prefix]*rate.Limiter{}
	}
	s.now[addr] = mine
}

// known returns the limiter of an address, or nil. The caller holds mu.
func (s *strangers) known(addr netip.Prefix) *rate.Limiter {
	if mine := s.now[addr]; mine != nil {
		return mine
	}
	return s.old[addr]
}

// busy answers a caller without certificate whose address was refused too
// often, before anything is done for it, and reports whether it has. That is
// not logged: the refusals before it were.
func (ca *CA) busy(w http.ResponseWriter, r *http.Request) bool {
	err := ca.strangers.check(r.RemoteAddr)
	if err != nil {
		ca.audit.count(callOf(r).network, routeOf(r), identity.CodeOf(err))
		problemOf(err).write(w)
	}
	return err != nil
}

// denied notes a refusal for the log and, of a caller without certificate, for
// its address. Failures of our own are nobody's fault.
func (ca *CA) denied(r *http.Request, err error) {
	c, code := callOf(r), identity.CodeOf(err)
	if c.peer == nil && code != "" && code != identity.Unavailable {
		ca.strangers.refused(r.RemoteAddr)
	}
	ca.audit.denied(r.Context(), c.network, routeOf(r), r.RemoteAddr, err)
}
