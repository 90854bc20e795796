package pki_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// badEnrolment is refused as malformed.
func badEnrolment() enrolment { return enrolment{Token: "a.b.c", CSR: []byte("x")} }

func TestStrangerThatIsRefusedTooOften(t *testing.T) {
	const requests, refusals = 400, 100
	l := &claimingListener{Listener: listen(t), claim: func(i int) string {
		return []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1"}[min(i, 3)]
	}}
	w := serveOn(t, initDir(t, "development"), newClock(), l, func(c *pki.Config) { *c = pki.WithoutRefill(*c) })
	member := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	stranger, got := w.caller(t, "development"), map[int]int{}
	var last reply
	for range requests {
		last = stranger.do(t, "POST", "/v1/enroll", badEnrolment())
		got[last.status]++
	}
	if got[http.StatusBadRequest] != refusals || got[http.StatusTooManyRequests] != requests-refusals {
		t.Errorf("of %d requests: %v, want %d refused for what they are", requests, got, refusals)
	}
	if logged := strings.Count(w.log.String(), "request refused"); logged != got[http.StatusBadRequest] {
		t.Errorf("%d log entries for %v", logged, got)
	}
	wantRefusal(t, last, http.StatusTooManyRequests, identity.Busy)
	if last.header.Get("Retry-After") == "" {
		t.Error("a busy answer does not say when to come back")
	}
	renewed := w.caller(t, "development", member.tls()).do(t, "POST", "/v1/renew", enrolment{CSR: plainCSR(t)})
	if renewed.status != http.StatusCreated {
		t.Errorf("a member at the same address: %d %s", renewed.status, renewed.body)
	}
	wantRefusal(t, w.caller(t, "development").do(t, "POST", "/v1/enroll", badEnrolment()), 400, identity.Malformed)
}

// Members are known: what they are refused is not held against an address.
func TestRefusedMemberIsNoStranger(t *testing.T) {
	w := newWorld(t, "development")
	node := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	member := w.caller(t, "development", node.tls())
	for range 150 {
		wantRefusal(t, member.do(t, "POST", "/v1/heads", nil), 403, identity.Denied)
	}
	wantRefusal(t, w.caller(t, "development").do(t, "POST", "/v1/enroll", badEnrolment()), 400, identity.Malformed)
}

// The next entry about a refusal says how many were left out.
func TestRefusalsLeftOutOfTheLogAreCounted(t *testing.T) {
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) { *c = pki.WithLimits(*c, 0, 1_000_000, 1) })
	c := w.caller(t, "development")
	for range 3 {
		c.do(t, "POST", "/v1/enroll", badEnrolment())
	}
	for began := time.Now(); !strings.Contains(w.log.String(), "left_out="); c.do(t, "POST", "/v1/enroll", badEnrolment()) {
		if time.Since(began) > time.Minute {
			t.Fatalf("nothing tells of the entries left out:\n%s", w.log)
		}
	}
}

// Whoever comes from many addresses does not fill the log either.
func TestLogOfRefusalsIsBounded(t *testing.T) {
	const requests, logged = 200, 5
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) {
		*c = pki.WithoutRefill(pki.WithLimits(*c, 0, 1_000_000, logged))
	})
	c := w.caller(t, "development")
	for range requests {
		c.do(t, "POST", "/v1/enroll", badEnrolment())
	}
	if got := strings.Count(w.log.String(), "request refused"); got != logged {
		t.Errorf("%d log entries, want %d", got, logged)
	}
	// What an operator should look at has its own room.
	token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"}).Token
	for range 2 {
		c.do(t, "POST", "/v1/enroll", enrolment{Token: token, CSR: plainCSR(t)})
	}
	mustContain(t, w.log.String(), "event=token-reuse")
}
