package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A connNode is a node with its connection.
type connNode struct {
	*loadNode
	conn  net.Conn
	in    *bufio.Reader
	waits spread // for replies, while they are measured
	sent  int64
	late  int64 // replies that said so
	err   error // what ended it
}

// connect makes node i, its connection and its registration.
func (l *connLoad) connect(ctx context.Context, i int, from netip.Addr) (*connNode, error) {
	node, err := l.authority.node(i, loadSignedAt(l.start, l.round, i, l.count, l.saved))
	if err != nil {
		return nil, err
	}
	source, err := l.authority.memorySource(node.cred)
	if err != nil {
		return nil, err
	}
	conn, err := dialTLS(ctx, source, from, l.address)
	if err != nil {
		return nil, err
	}
	n := &connNode{loadNode: node, conn: conn, in: bufio.NewReaderSize(conn, 1<<10)}
	_, err = n.post("/v1/records", discovery.JWSType, node.record.Token(), http.StatusCreated)
	return n, err
}

// memorySource returns the identity of a node that holds a credential.
func (a *loadAuthority) memorySource(cred *identity.Credential) (*identity.Source, error) {
	id := cred.ID()
	return identity.NewMemorySource(&identity.Identity{
		Document: identity.Document{
			ID: id, Network: a.TD.Network(), Domain: a.TD.Domain(), NID: identity.NID(a.Root), Type: id.Type().String(),
			Registries: []identity.KnownRegistry{},
		},
		Credential: cred, Bundle: a.bundle,
	})
}

// live sends the node's heartbeats, each when it is due.
func (l *connLoad) live(ctx context.Context, n *connNode, i int) error {
	offset := l.round * time.Duration(i) / time.Duration(l.count)
	for l.beats == 0 || n.sent < l.beats {
		turn := 1 + int((time.Since(l.start)-offset)/l.round)
		timer := time.NewTimer(time.Until(l.start.Add(offset + l.round*time.Duration(turn))))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := l.beat(n, (turn+i)%loadReceipts == 0); err != nil {
			return err
		}
	}
	return nil
}

// beat sends the heartbeat that is due, perhaps with the wish for a receipt; there
// may be none yet.
func (l *connLoad) beat(n *connNode, receipt bool) error {
	b, ok := n.next(time.Now(), l.saved)
	if !ok {
		return nil
	}
	body, err := json.Marshal(discovery.BeatRequest{RID: n.record.RID(), K: b.K, Token: b.Token, Receipt: receipt})
	if err != nil {
		return err
	}
	began := time.Now()
	text, err := n.post("/v1/heartbeats", "application/json", string(body), http.StatusOK)
	if err != nil {
		return fmt.Errorf("heartbeat %d: %w", b.K, err)
	}
	if l.measuring.Load() {
		n.waits = append(n.waits, time.Since(began))
	}
	var reply discovery.BeatReply
	if err := json.Unmarshal(text, &reply); err != nil {
		return err
	}
	if reply.RID != n.record.RID() || reply.Status != discovery.Up || (reply.Receipt != nil) != receipt {
		return fmt.Errorf("heartbeat %d got %s", b.K, text)
	}
	if reply.Late {
		n.late++
	}
	n.sent++
	return nil
}

// post sends a request on the node's connection and returns the reply's body.
func (n *connNode) post(path, mediaType, body string, want int) ([]byte, error) {
	if err := n.conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(n.conn, "POST %s HTTP/1.1\r\nHost: registry\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, mediaType, len(body), body); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(n.in, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("status %d, want %d: %.300s", res.StatusCode, want, text)
	}
	return text, err
}
