package identity_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// previous is one step of the chain, written from the protocol's text.
func previous(node string, k uint32, token identity.Hash) identity.Hash {
	bind := sha256.Sum256([]byte(node))
	text := binary.BigEndian.AppendUint32([]byte("nghb1"), k)
	text = append(text, bind[:14]...)
	return sha256.Sum256(append(text, token[:]...))
}

func TestChain(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	seed := identity.Hash{7}
	chain, err := identity.ChainFromSeed(n.id, 5, seed)
	if err != nil {
		t.Fatal(err)
	}
	want := seed
	for k := int64(5); k > 0; k-- {
		if got, ok := chain.Token(k); !ok || got != want {
			t.Errorf("token %d is %s, want %s", k, got, want)
		}
		want = previous(n.id.String(), uint32(k), want)
	}
	if chain.Anchor() != want {
		t.Errorf("the anchor is %s, want %s", chain.Anchor(), want)
	}
	for _, k := range []int64{-1, 0, 6} {
		if _, ok := chain.Token(k); ok {
			t.Errorf("there is a token %d of 5", k)
		}
	}
	if shown := fmt.Sprintf("%v %s", chain, chain); shown != "heartbeat chain (secret) heartbeat chain (secret)" {
		t.Errorf("the chain shows %s", shown)
	}
	if _, err := identity.NewChain(n.id, 8640); err != nil {
		t.Errorf("the longest chain: %v", err)
	}
	for _, count := range []int{0, -1, 8641} {
		if _, err := identity.NewChain(n.id, count); identity.CodeOf(err) != identity.Limits {
			t.Errorf("a chain of %d: got %v, want %s", count, err, identity.Limits)
		}
	}
	one, err := identity.NewChain(n.id, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := identity.NewChain(n.id, 1)
	if err != nil || one.Anchor() == two.Anchor() {
		t.Errorf("two chains have one anchor, %v", err)
	}
}

func TestVerifyBeat(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	other := n.as(t, "databaseservice", "db-2")
	chain, err := identity.ChainFromSeed(n.id, 100, identity.Hash{7})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := identity.ChainFromSeed(other.id, 100, identity.Hash{7})
	if err != nil {
		t.Fatal(err)
	}
	later, err := identity.ChainFromSeed(n.id, 100, identity.Hash{8})
	if err != nil {
		t.Fatal(err)
	}
	r := &identity.Record{Node: n.id, IAT: now.Unix(), Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 100, Interval: 10}}
	token := func(c *identity.Chain, k int64) identity.Hash {
		h, _ := c.Token(k)
		return h
	}
	beat := func(k int64) identity.Beat { return identity.Beat{K: k, Token: token(chain, k)} }
	rows := []struct {
		name    string
		beat    identity.Beat
		last    identity.Beat
		elapsed time.Duration
		want    identity.Beat
		code    identity.Code
	}{
		{"accepts the first", beat(1), identity.Beat{}, 10 * time.Second, beat(1), ""},
		{"accepts one after missed ones", beat(7), beat(2), 70 * time.Second, beat(7), ""},
		{"accepts the last", beat(100), identity.Beat{}, 1000 * time.Second, beat(100), ""},
		{"accepts the same again", beat(3), beat(3), 30 * time.Second, beat(3), ""},
		{"ignores a lower one", beat(2), beat(3), 30 * time.Second, beat(3), ""},
		{"ignores a lower one whatever it is", identity.Beat{K: 2}, beat(3), 30 * time.Second, beat(3), ""},
		{"accepts one early by 60 s", beat(7), identity.Beat{}, 10 * time.Second, beat(7), ""},
		{"refuses one early by 61 s", beat(7), identity.Beat{}, 9 * time.Second, identity.Beat{}, identity.BadTime},
		{"refuses a forged one from the future for its time", identity.Beat{K: 100}, identity.Beat{}, 0, identity.Beat{}, identity.BadTime},
		{"refuses one beyond the chain", identity.Beat{K: 101}, identity.Beat{}, 2000 * time.Second, identity.Beat{}, identity.Limits},
		{"refuses number 0", identity.Beat{K: 0, Token: chain.Anchor()}, identity.Beat{}, 10 * time.Second, identity.Beat{}, identity.Limits},
		{"refuses a negative number", identity.Beat{K: -1}, identity.Beat{}, 10 * time.Second, identity.Beat{}, identity.Limits},
		{"refuses a forged one", identity.Beat{K: 3, Token: identity.Hash{1}}, identity.Beat{}, 30 * time.Second, identity.Beat{}, identity.BadSignature},
		{"refuses a forged one after a good one", identity.Beat{K: 3, Token: identity.Hash{1}}, beat(2), 30 * time.Second, beat(2), identity.BadSignature},
		{"refuses another token under the last number", identity.Beat{K: 3, Token: identity.Hash{1}}, beat(3), 30 * time.Second, beat(3), identity.BadSignature},
		{"refuses the token of another slot", identity.Beat{K: 3, Token: token(chain, 4)}, identity.Beat{}, 30 * time.Second, identity.Beat{}, identity.BadSignature},
		{"refuses the anchor as a token", identity.Beat{K: 1, Token: chain.Anchor()}, identity.Beat{}, 30 * time.Second, identity.Beat{}, identity.BadSignature},
		{"refuses another record's token", identity.Beat{K: 3, Token: token(later, 3)}, identity.Beat{}, 30 * time.Second, identity.Beat{}, identity.BadSignature},
		{"refuses another node's token", identity.Beat{K: 3, Token: token(foreign, 3)}, identity.Beat{}, 30 * time.Second, identity.Beat{}, identity.BadSignature},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := r.VerifyBeat(row.beat, row.last, now.Add(row.elapsed))
			if identity.CodeOf(err) != row.code || got != row.want {
				t.Errorf("got %v, %v, want %v, %q", got, err, row.want, row.code)
			}
		})
	}
}

func TestLiveness(t *testing.T) {
	rows := []struct {
		interval, k, want int64
	}{
		{15, 0, 75}, {15, 1, 90}, {15, 240, 241*15 + 60}, {60, 0, 120}, {61, 0, 122}, {3600, 0, 7200}, {3600, 1, 3*3600 + 0},
	}
	for _, row := range rows {
		r := &identity.Record{IAT: 1000, Heartbeat: identity.Heartbeat{Interval: row.interval, Count: 8640}}
		if got := r.LiveUntil(row.k) - 1000; got != row.want {
			t.Errorf("interval %d, token %d: live for %d s, want %d", row.interval, row.k, got, row.want)
		}
	}
	r := &identity.Record{IAT: now.Unix(), Heartbeat: identity.Heartbeat{Interval: 15, Count: 4}}
	for at, want := range map[time.Duration]int64{-time.Hour: 0, 0: 0, 14 * time.Second: 0, 15 * time.Second: 1, 44 * time.Second: 2, time.Hour: 4} {
		if got := r.DueBeat(now.Add(at)); got != want {
			t.Errorf("after %s token %d is due, want %d", at, got, want)
		}
	}
}
