package registry

import (
	"net"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/identity"
)

// Spend takes one from a limiter.
var Spend = spend

// Routes returns what is mounted, each as "METHOD /path".
func Routes(s *Server) []string {
	var all []string
	for _, r := range s.routes.(*echo.Echo).Routes() {
		all = append(all, r.Method+" "+r.Path)
	}
	return all
}

// ForgetBudgets lets everybody begin anew.
func ForgetBudgets(s *Server) {
	s.budgets.mu.Lock()
	defer s.budgets.mu.Unlock()
	s.budgets.kept.Clear()
}

// WaitForTheLastReport has the report at the end take as long as a slow machine may
// need.
func WaitForTheLastReport(s *Server) { s.lastReport = time.Minute }

// FillTwice encodes one answer twice: first it panics, then it would succeed.
func FillTwice() (err error) {
	c, e := newCache(), &entry{}
	func() {
		defer func() { _ = recover() }() // the handler's
		_ = e.fill(c, func() ([]byte, error) { panic("a bug") })
	}()
	return e.fill(c, func() ([]byte, error) { return []byte("{"), nil })
}

// An Unsent is what responses under way keep alive, for tests of its rule.
type Unsent struct{ u *unsent }

// NewUnsent returns one that keeps at most so many bytes.
func NewUnsent(most int64) Unsent { return Unsent{newUnsent(most)} }

// Begin notes a response to an identity; the caller calls done after.
func (u Unsent) Begin(to identity.NodeID, parts [][]byte, end func()) (done func()) {
	s := u.u.begin(to, parts, func() error { end(); return nil })
	return func() { u.u.done(s) }
}

// Bytes returns what is kept.
func (u Unsent) Bytes() int64 {
	bytes, _ := u.u.numbers()
	return bytes
}

// Owners returns how many identities have responses under way.
func (u Unsent) Owners() int { return len(u.u.owners) }

// PaceOf returns whether a connection lives on that reads a message of its
// identity when the identity has sent so many bytes too early.
func PaceOf(c net.Conn, early int) (lives bool) {
	pace := rate.NewLimiter(byteRate, byteBurst)
	now := time.Now()
	for pace.ReserveN(now, byteBurst); early > 0; early -= byteBurst {
		pace.ReserveN(now, min(early, byteBurst))
	}
	own := newConns(1).add(c)
	return own.wait(pace, 1) == nil
}
