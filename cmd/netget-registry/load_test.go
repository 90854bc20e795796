package main_test

import (
	"crypto"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// What the nodes of the load drills promise: as many as there may be send a
// heartbeat at the usual interval, for longer than any of the drills takes.
const (
	loadInterval = 15 * time.Second
	loadLife     = time.Hour
	loadTokens   = 100 // of a node that are kept: 25 minutes
	loadService  = 1000
	loadSaved    = 30 * time.Minute // of the records where nobody waits for a token's time
)

// A loadAuthority makes nodes by the ten thousand. They share a key, which takes
// a tenth off the time, and nothing else.
type loadAuthority struct {
	*testca.Authority
	bundle *identity.Bundle
	key    crypto.Signer

	mu sync.Mutex // the authority counts serial numbers
}

func newLoadAuthority() *loadAuthority {
	ca := testca.New("development", "load", time.Now().Add(-2*loadSaved))
	return &loadAuthority{Authority: ca, bundle: ca.Bundle(), key: testca.Key("load")}
}

// A loadNode is a node with its record and the tokens of its heartbeats.
type loadNode struct {
	cred   *identity.Credential
	record *identity.Statement
	iat    int64
	tokens []identity.Hash // tokens[k-1] is t_k
	last   int64           // the number of the newest heartbeat that was sent
}

// node makes node i with a record from a moment.
func (a *loadAuthority) node(i int, iat int64) (*loadNode, error) {
	a.mu.Lock()
	cred := a.IssueKey(a.ID(loadServiceOf(i), fmt.Sprintf("n-%d", i)), a.key)
	a.mu.Unlock()
	const count = int(loadLife / loadInterval)
	chain, err := identity.NewChain(cred.ID(), count)
	if err != nil {
		return nil, err
	}
	n := &loadNode{cred: cred, iat: iat, tokens: make([]identity.Hash, loadTokens)}
	for k := range n.tokens {
		n.tokens[k], _ = chain.Token(int64(k) + 1)
	}
	n.record, err = identity.SignRecord(identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.1.2.3", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     iat, IAT: iat, Exp: iat + int64(loadLife/time.Second), Sequence: 1,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: int64(count), Interval: int64(loadInterval / time.Second)},
		Metadata:  map[string]string{"version": "17.2", "zone": "a"}, State: identity.Active,
	}, cred, a.bundle)
	return n, err
}

func loadServiceOf(i int) string { return fmt.Sprintf("service-%d", i/loadService) }

// next returns the heartbeat that the node sends now, or, of nodes that have
// saved up tokens, the one after the last. ok is false if there is none.
func (n *loadNode) next(now time.Time, saved bool) (b identity.Beat, ok bool) {
	k := n.last + 1
	if !saved {
		k = (now.Unix() - n.iat) / int64(loadInterval/time.Second)
	}
	if k <= n.last || k > int64(len(n.tokens)) {
		return b, false
	}
	n.last = k
	return identity.Beat{K: k, Token: n.tokens[k-1]}, true
}

// processorTime returns what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// loadSignedAt is when node i of so many signs: its tokens are due when its turn
// is, in rounds from the start.
func loadSignedAt(start time.Time, round time.Duration, i, count int, saved bool) int64 {
	now, interval := time.Now(), int64(loadInterval/time.Second)
	if saved {
		return now.Add(-loadSaved).Unix()
	}
	offset := start.Add(round * time.Duration(i) / time.Duration(count)).Unix()
	return now.Unix() - (now.Unix()-offset+interval)%interval
}
