package discovery

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/neurons-me/netget/identity"
)

// A SupersededError is the refusal of a statement because the registry knows a
// later one; Current is that one, verified, or nil when it did not verify.
type SupersededError struct {
	Current *identity.Statement
	Err     *identity.ProblemError
}

// Error says so.
func (s *SupersededError) Error() string { return s.Err.Error() }

// Unwrap returns the server's refusal.
func (s *SupersededError) Unwrap() error { return s.Err }

// An Accepted is the proof that a registry holds a statement.
type Accepted struct {
	Answered
	Listing *Listing // nil for a tombstone
	Created bool     // it became the state just now
}

// Publish hands a record or tombstone to one registry and verifies its
// receipt. Errors: [*SupersededError], the server's [*identity.ProblemError], or
// the class of what is wrong with the receipt.
func (c *Client) Publish(ctx context.Context, r *Remote, s *identity.Statement) (*Accepted, error) {
	var got *Accepted
	err := c.exchange(ctx, r, question{
		method: http.MethodPost, path: "/v1/records", contentType: JWSType, body: []byte(s.Token()),
		open: func(o *Opener, rep *reply, ask Ask) (Head, map[identity.NodeID]NodeMark, error) {
			a, err := openAccepted(o, rep, s, ask)
			if err != nil {
				return Head{}, nil, err
			}
			a.Answered = Answered{URL: r.URL(), Registry: a.Head.Registry, Head: a.Head}
			got = a
			return a.Head, nil, nil
		},
	})
	if err != nil {
		return nil, c.superseded(s.Node(), err)
	}
	return got, nil
}

func openAccepted(o *Opener, rep *reply, s *identity.Statement, ask Ask) (*Accepted, error) {
	a := &Accepted{Created: rep.status == http.StatusCreated}
	var err error
	if s.IsTombstone() {
		a.Head, err = o.TombstoneReceipt(rep.body, s, ask)
		return a, err
	}
	if a.Listing, err = o.Receipt(rep.body, s, ask); err != nil {
		return nil, err
	}
	a.Head = a.Listing.Head
	return a, nil
}

// superseded opens the statement that came with a 409. A node believes only
// what verifies, and only of itself.
func (c *Client) superseded(node identity.NodeID, err error) error {
	problem, ok := errors.AsType[*identity.ProblemError](err)
	if !ok || problem.Code != identity.Superseded {
		return err
	}
	s, openErr := c.openCurrent(problem)
	if openErr != nil || s.Node() != node {
		s = nil
	}
	return &SupersededError{Current: s, Err: problem}
}

func (c *Client) openCurrent(p *identity.ProblemError) (*identity.Statement, error) {
	env, err := identity.ParseEnvelope(p.Current, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		return nil, err
	}
	leaf, issuer, err := identity.ParsePair([][]byte{p.Certificate, p.Issuer})
	if err != nil {
		return nil, err
	}
	bundle := c.cfg.Source.Identity().Bundle
	cert, err := bundle.Verify(leaf, issuer, identity.ClientUse)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckRevoked(cert); err != nil {
		return nil, err
	}
	s, err := bundle.OpenStatement(env, cert)
	if err != nil {
		return nil, err
	}
	return s, s.CheckTime(c.cfg.Now())
}

// A BeatReply is what a registry answers to a heartbeat.
type BeatReply struct {
	RID     identity.Hash `json:"rid"`
	Status  Status        `json:"status"`
	Time    int64         `json:"time"` // the registry's clock, Unix seconds
	Version int64         `json:"version"`
	Late    bool          `json:"late,omitempty"` // the token came more than 10 s after its time
	Receipt *Receipt      `json:"receipt,omitempty"`
}

// A BeatRequest is a heartbeat as it is sent.
type BeatRequest struct {
	RID     identity.Hash `json:"rid"`
	K       int64         `json:"k"`
	Token   identity.Hash `json:"token"`
	Receipt bool          `json:"receipt,omitempty"`
}

// Beat sends a heartbeat token to one registry. With receipt it asks for, and
// verifies, the proof that the record is listed still.
func (c *Client) Beat(ctx context.Context, r *Remote, s *identity.Statement, b identity.Beat, receipt bool) (*BeatReply, error) {
	if receipt {
		return c.beatWithReceipt(ctx, r, s, b)
	}
	q, err := postJSON("/v1/heartbeats", BeatRequest{RID: s.RID(), K: b.K, Token: b.Token}, nil)
	if err != nil {
		return nil, err
	}
	got, err := c.unsigned(ctx, r, func(from url.Values) (*reply, error) {
		return r.do(ctx, q.method, q.path, from, q.contentType, q.body)
	})
	if err != nil {
		return nil, c.superseded(s.Node(), err)
	}
	return readBeat(got.body, s)
}

// unsigned asks for what comes without a head, a registry's word alone: only who
// says it is checked.
func (c *Client) unsigned(ctx context.Context, r *Remote, ask func(from url.Values) (*reply, error)) (*reply, error) {
	peer, err := r.Peer(ctx)
	if err != nil {
		return nil, err
	}
	if !c.isListed(peer) {
		return nil, identity.Refuse(identity.Binding, "%s is not one of the registries that the authority named", peer)
	}
	from := Ask{Mark: c.cfg.Marks.Registry(peer)}.from()
	got, err := ask(url.Values{"from": {strconv.FormatInt(from, 10)}})
	if err != nil {
		return nil, err
	}
	if got.peer != peer {
		return nil, identity.Refuse(identity.Unavailable, "%s answered in place of %s", got.peer, peer)
	}
	return got, nil
}

// readBeat reads the reply to a heartbeat, the registry's word.
func readBeat(doc []byte, s *identity.Statement) (*BeatReply, error) {
	var answer BeatReply
	if err := decode(doc, &answer); err != nil {
		return nil, err
	}
	if answer.RID != s.RID() {
		return nil, identity.Refuse(identity.Incomplete, "a reply about another record")
	}
	return &answer, nil
}

// openBeat is [readBeat] with the receipt, which proves that the record is
// listed still.
func openBeat(o *Opener, doc []byte, s *identity.Statement, ask Ask) (*BeatReply, Head, error) {
	answer, err := readBeat(doc, s)
	if err != nil {
		return nil, Head{}, err
	}
	if answer.Receipt == nil {
		return nil, Head{}, identity.Refuse(identity.Incomplete, "the receipt that was asked for is missing")
	}
	listing, err := o.openReceipt(*answer.Receipt, s.Node(), s.RID(), ask)
	if err != nil {
		return nil, Head{}, err
	}
	return answer, listing.Head, nil
}

func (c *Client) beatWithReceipt(ctx context.Context, r *Remote, s *identity.Statement, b identity.Beat) (*BeatReply, error) {
	var answer *BeatReply
	q, err := postJSON("/v1/heartbeats", BeatRequest{RID: s.RID(), K: b.K, Token: b.Token, Receipt: true}, func(o *Opener, rep *reply, ask Ask) (Head, map[identity.NodeID]NodeMark, error) {
		var head Head
		var err error
		answer, head, err = openBeat(o, rep.body, s, ask)
		return head, nil, err
	})
	if err != nil {
		return nil, err
	}
	q.hint = true // the record is posted again
	if err := c.exchange(ctx, r, q); err != nil {
		return nil, c.superseded(s.Node(), err)
	}
	return answer, nil
}

// PublishAll hands a statement to all registries.
func (c *Client) PublishAll(ctx context.Context, s *identity.Statement) ([]*Accepted, []*RegistryError, error) {
	return each(ctx, c, func(ctx context.Context, r *Remote) (*Accepted, error) { return c.Publish(ctx, r, s) })
}
