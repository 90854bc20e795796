package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	attempts   = 4                // of one question, while marks move or registries change places
	maxBehind  = 60 * time.Second // for how long a replica may be below our mark
	bundlePath = "/v1/bundle"
	proofPath  = "/v1/proof"
)

// A question is one request and how its reply is opened.
type question struct {
	method, path string
	query        url.Values // without from
	contentType  string
	body         []byte
	hint         bool // that the registry knows nothing, by its word alone, tells the asker something
	open         func(*Opener, *reply, Ask) (Head, map[identity.NodeID]NodeMark, error)
}

// exchange asks a registry, opens what it says, and writes the marks last. It
// asks again when the mark has moved past the answer meanwhile, and once more
// when the authority's lists have changed.
func (c *Client) exchange(ctx context.Context, r *Remote, q question) error {
	var err error
	for range attempts {
		var again bool
		if again, err = c.attempt(ctx, r, q); !again {
			break
		}
	}
	if identity.CodeOf(err) == identity.Binding && !isProblem(err) && c.updateList(ctx) == nil {
		_, err = c.attempt(ctx, r, q)
	}
	return err
}

func isProblem(err error) bool {
	_, ok := errors.AsType[*identity.ProblemError](err)
	return ok
}

func (c *Client) attempt(ctx context.Context, r *Remote, q question) (again bool, err error) {
	peer, err := r.Peer(ctx)
	if err != nil {
		return false, err
	}
	opener := c.openerNow()
	ask := Ask{Peer: peer, Registries: c.isListed, Mark: c.cfg.Marks.Registry(peer), Nodes: c.cfg.Marks.Node}
	query := url.Values{"from": {strconv.FormatInt(ask.from(), 10)}}
	maps.Copy(query, q.query)
	got, err := r.do(ctx, q.method, q.path, query, q.contentType, q.body)
	if err != nil && got == nil {
		return false, err
	}
	if got.peer != peer {
		return true, identity.Refuse(identity.Unavailable, "%s answered in place of %s", got.peer, peer)
	}
	ask.Now = c.cfg.Now()
	if err != nil {
		return false, c.refused(opener, ask, q, err)
	}
	head, nodes, err := q.open(opener, got, ask)
	if err != nil {
		return false, err
	}
	if c.takeCRLs(ctx, r, opener, head) {
		return true, identity.Refuse(identity.Unavailable, "the revocation lists have just changed")
	}
	err = c.cfg.Marks.commit(head, ask.Mark, nodes, nil, ask.Now.Unix())
	if moved, ok := errors.AsType[movedError](err); ok {
		again, err = c.link(ctx, r, head, moved.mark, nodes, ask.Now)
	}
	if err == nil {
		c.forgetBehind(peer)
		c.markCRLs(ctx, opener.Bundle())
	}
	return again, err
}

// refused judges an error reply. A registry that is behind our mark says so
// with its newest head; one that stays behind for a minute has gone back. One
// that says "not found" has not answered, but for questions to which that is a
// hint: an absence comes with its proof.
func (c *Client) refused(o *Opener, ask Ask, q question, err error) error {
	problem, ok := errors.AsType[*identity.ProblemError](err)
	if ok && !q.hint && (problem.Code == identity.NotFound || problem.Code == identity.Gone) {
		return identity.Refuse(identity.Unavailable, "%s says that there is no %s, and proves nothing by it", ask.Peer, q.path)
	}
	if !ok || problem.Code != identity.Unavailable || problem.Head == "" || ask.Mark == nil {
		return err
	}
	head, openErr := o.openHead(Seal{Head: problem.Head, Registry: problem.Registry, Inclusion: []identity.Hash{}}, Ask{Peer: ask.Peer, Registries: ask.Registries, Now: ask.Now})
	if openErr != nil || head.Version >= ask.Mark.Version {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	since, known := c.behind[ask.Peer]
	if !known {
		c.behind[ask.Peer] = ask.Now
		return err
	}
	if ask.Now.Sub(since) > maxBehind {
		return identity.Refuse(identity.Rollback, "%s for %s, where %d was seen before", head, ask.Now.Sub(since).Truncate(time.Second), ask.Mark.Version)
	}
	return err
}

func (c *Client) forgetBehind(id identity.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.behind, id)
}

// link makes sure that head and a mark that has moved meanwhile belong to one
// log. A head below the mark is dropped and asked for again.
func (c *Client) link(ctx context.Context, r *Remote, head Head, mark identity.RegistryMark, nodes map[identity.NodeID]NodeMark, now time.Time) (again bool, err error) {
	older, newer := mark, head.Mark()
	if older.Version > newer.Version {
		older, newer = newer, older
	}
	query := url.Values{"from": {strconv.FormatInt(older.Version, 10)}, "to": {strconv.FormatInt(newer.Version, 10)}}
	got, err := r.do(ctx, http.MethodGet, proofPath, query, "", nil)
	if err != nil {
		return false, identity.Refuse(identity.Unavailable, "the proof that links versions %d to %d: %w", older.Version, newer.Version, err)
	}
	proof, err := parseLink(got.body)
	if err != nil {
		return false, err
	}
	if err := CheckConsistency(proof, older, newer); err != nil {
		return false, err
	}
	if older.Made > newer.Made {
		return false, identity.Refuse(identity.BadTime, "version %d was made before version %d", newer.Version, older.Version)
	}
	if head.Version < mark.Version {
		return true, identity.Refuse(identity.Unavailable, "%s was overtaken by version %d", head, mark.Version)
	}
	err = c.cfg.Marks.commit(head, nil, nodes, &mark, now.Unix())
	if _, ok := errors.AsType[movedError](err); ok {
		return true, err
	}
	return false, err
}

// parseLink reads a proof between two versions.
func parseLink(text []byte) ([]identity.Hash, error) {
	var doc struct {
		Proof []identity.Hash `json:"proof"`
	}
	if err := decode(text, &doc); err != nil {
		return nil, err
	}
	if doc.Proof == nil {
		return nil, identity.Refuse(identity.Malformed, "a proof between versions without its list")
	}
	return doc.Proof, nil
}

// takeCRLs fetches the network's bundle from a registry whose head was made
// under other revocation lists than ours, once per registry and value. Newer
// lists are put in force; it reports whether there were any.
func (c *Client) takeCRLs(ctx context.Context, r *Remote, o *Opener, head Head) bool {
	ours, err := o.Bundle().CRLHash()
	if err != nil || ours == head.CRLs {
		return false
	}
	c.mu.Lock()
	seen := c.crlsSeen[head.Registry] == head.CRLs
	c.mu.Unlock()
	if seen {
		return false
	}
	got, err := r.do(ctx, http.MethodGet, bundlePath, url.Values{"from": {"0"}}, "", nil)
	newer := false
	if err == nil {
		newer, err = c.addCRLs(got.body)
	}
	if err != nil {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "revocation lists not taken", slog.String("registry", r.URL()), slog.Any("error", err))
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crlsSeen[head.Registry] = head.CRLs
	return newer
}

// addCRLs puts what is newer of a bundle in force.
func (c *Client) addCRLs(doc []byte) (newer bool, err error) {
	var sent identity.BundleDocument
	if err := decode(doc, &sent); err != nil {
		return false, err
	}
	err = c.cfg.Source.Update(func(current *identity.Identity) (*identity.Identity, error) {
		if sent.NID != current.Bundle.NID() {
			return nil, identity.Refuse(identity.WrongNetwork, "a bundle of %s", sent.NID)
		}
		next := *current
		if next.Bundle, err = current.Bundle.Merge(sent.Issuers, sent.CRLs); err != nil {
			return nil, err
		}
		before, err := current.Bundle.CRLHash()
		if err != nil {
			return nil, err
		}
		after, err := next.Bundle.CRLHash()
		if newer = before != after; err != nil || !newer {
			return current, err
		}
		return &next, nil
	})
	return newer, err
}

// get is a question by GET.
func get(path string, query url.Values, open func(*Opener, *reply, Ask) (Head, map[identity.NodeID]NodeMark, error)) question {
	return question{method: http.MethodGet, path: path, query: query, open: open}
}

// post is a question by POST of JSON.
func postJSON(path string, body any, open func(*Opener, *reply, Ask) (Head, map[identity.NodeID]NodeMark, error)) (question, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return question{}, err
	}
	return question{method: http.MethodPost, path: path, contentType: "application/json", body: text, open: open}, nil
}
