package identity_test

import (
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzHeartbeat shows tokens to a record whose chain is secret: only the
// chain's own are taken, never one of the future.
func FuzzHeartbeat(f *testing.F) {
	n := newNetwork(f, "databaseservice", "db-1")
	chain, err := identity.ChainFromSeed(n.id, 50, identity.Hash{7})
	if err != nil {
		f.Fatal(err)
	}
	r := &identity.Record{Node: n.id, IAT: now.Unix(), Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 50, Interval: 10}}
	for k := range int64(51) {
		known, _ := chain.Token(k)
		f.Add(k, known[:], int64(0), int64(600))
		f.Add(k, known[:], k-1, int64(300))
		f.Add(k+1, known[:], k, int64(-60))
	}
	for _, v := range seeds[vectors.Heartbeat](f, vectors.HeartbeatsFile) {
		f.Add(v.Beat.K, v.Beat.Token[:], int64(0), v.Now-now.Unix())
	}
	f.Fuzz(func(t *testing.T, k int64, token []byte, last, elapsed int64) {
		b, before := identity.Beat{K: k}, identity.Beat{}
		copy(b.Token[:], token)
		if known, ok := chain.Token(last); ok {
			before = identity.Beat{K: last, Token: known}
		}
		elapsed %= 1 << 40
		got, err := r.VerifyBeat(b, before, now.Add(time.Duration(elapsed%1e9)*time.Second))
		right, inChain := chain.Token(k)
		due := k*10 <= elapsed%1e9+60
		if want := inChain && due && (k < before.K || right == b.Token); want != (err == nil) {
			t.Errorf("token %d after %d s and %d: %v", k, elapsed, before.K, err)
		}
		if err != nil {
			spoil.Refused(t, err)
		}
		if want := map[bool]identity.Beat{true: b, false: before}[err == nil && k >= before.K]; got != want {
			t.Errorf("%v counts, want %v", got, want)
		}
	})
}
