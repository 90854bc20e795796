package pki

import (
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/internal/connlimit"
)

// limits are those of an authority as a server, besides its connections'.
type limits struct {
	requests      rate.Limit // of callers without certificate, a second and address
	requestBurst  int        // 200 nodes behind one address enrol at once, each by two requests
	refusals      rate.Limit // of them, those that are refused
	refusalBurst  int
	logged        rate.Limit // entries written to the log, a second and budget
	loggedAtBurst int
}

func defaultLimits() limits {
	return limits{
		requests: 50, requestBurst: 500,
		refusals: 10, refusalBurst: 100,
		logged: 1, loggedAtBurst: 200,
	}
}

// DefaultConnections are the limits of an authority's connections: callers come
// seldom and leave soon. When all places are taken those make room who are
// not being answered.
func DefaultConnections() connlimit.Limits {
	return connlimit.Limits{Most: 4096, PerAddress: 64, Rate: 200, Burst: 4096}
}
