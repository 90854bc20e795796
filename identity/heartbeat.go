package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A Chain is the secret behind a record's heartbeats: a hash chain of which
// the record publishes the end (the anchor) and the node reveals one link after
// the other, so that each token proves that the node lived at that time and
// nobody else can make the next (docs/protocol.md section 4, "Heartbeat").
type Chain struct{ tokens []Hash } // tokens[k] = t_k

// NewChain makes a fresh chain of count tokens for a node.
func NewChain(node NodeID, count int) (*Chain, error) {
	var seed Hash
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	return ChainFromSeed(node, count, seed)
}

// ChainFromSeed makes the chain that ends in the given t_count. Programs use
// [NewChain]; published test vectors need chains that come out the same.
func ChainFromSeed(node NodeID, count int, seed Hash) (*Chain, error) {
	if count < 1 || count > MaxHeartbeats {
		return nil, Refuse(Limits, "a chain has 1 to %d tokens, not %d", MaxHeartbeats, count)
	}
	c := &Chain{tokens: make([]Hash, count+1)}
	c.tokens[count] = seed
	bind := bindingOf(node)
	for k := count; k > 0; k-- {
		c.tokens[k-1] = bind.previous(int64(k), c.tokens[k])
	}
	return c, nil
}

// Anchor returns t_0, which the record publishes.
func (c *Chain) Anchor() Hash { return c.tokens[0] }

// Token returns t_k; ok is false outside the chain.
func (c *Chain) Token(k int64) (t Hash, ok bool) {
	if k < 1 || k >= int64(len(c.tokens)) {
		return Hash{}, false
	}
	return c.tokens[k], true
}

// A Beat is one revealed token. The zero Beat stands for none: of a record it
// means its anchor.
type Beat struct {
	K     int64 `json:"k"`
	Token Hash  `json:"token"`
}

// VerifyBeat verifies a token of r against last, the last accepted of the same
// record (zero: none yet). It returns the beat that counts now: b itself, or
// last when b is the same or lower. Refusals: [Limits] beyond the chain,
// [BadTime] from the future (decided before any hashing), [BadSignature].
func (r *Record) VerifyBeat(b, last Beat, now time.Time) (Beat, error) {
	if b.K < 1 || b.K > r.Heartbeat.Count {
		return last, Refuse(Limits, "heartbeat %d of a chain of %d", b.K, r.Heartbeat.Count)
	}
	if r.IAT+b.K*r.Heartbeat.Interval > now.Unix()+skewSeconds {
		return last, Refuse(BadTime, "heartbeat %d is from the future", b.K)
	}
	if b.K < last.K {
		return last, nil
	}
	from := Beat{K: 0, Token: r.Heartbeat.Anchor}
	if last.K > 0 {
		from = last
	}
	token, bind := b.Token, bindingOf(r.Node)
	for k := b.K; k > from.K; k-- {
		token = bind.previous(k, token)
	}
	if token != from.Token {
		return last, Refuse(BadSignature, "heartbeat %d does not lead to the record", b.K)
	}
	return b, nil
}

// LiveUntil returns the moment (Unix seconds, exclusive) until which a record
// whose last token is k counts as live; k is 0 before the first.
func (r *Record) LiveUntil(k int64) int64 {
	return r.IAT + (k+1)*r.Heartbeat.Interval + max(r.Heartbeat.Interval, minLivenessSeconds)
}

// DueBeat returns the number of the newest token that the node may reveal at
// t: 0 before the first, at most the chain's length.
func (r *Record) DueBeat(t time.Time) int64 {
	return min(max(0, (t.Unix()-r.IAT)/r.Heartbeat.Interval), r.Heartbeat.Count)
}

// A binding is the "bind" of a node: what makes its chains its own.
type binding [14]byte

func bindingOf(node NodeID) binding {
	sum := sha256.Sum256([]byte(node.String()))
	return binding(sum[:len(binding{})])
}

// previous returns t_{k-1} for t_k.
func (bind binding) previous(k int64, token Hash) Hash {
	const domain = "nghb1"
	var text [len(domain) + 4 + len(bind) + len(token)]byte
	b := append(text[:0], domain...)
	b = binary.BigEndian.AppendUint32(b, uint32(k)) //nolint:gosec // k is at most MaxHeartbeats
	b = append(b, bind[:]...)
	return sha256.Sum256(append(b, token[:]...))
}

// String hides the tokens: whoever knows them can pretend that the node lives.
func (c *Chain) String() string { return "heartbeat chain (secret)" }
