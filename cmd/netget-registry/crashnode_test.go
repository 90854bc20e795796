package main_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A crashNode is a service node that registers over and over.
type crashNode struct {
	source *identity.Source
	client *discovery.Client // of this round

	next         identity.Record
	acknowledged *identity.Statement // the last with a verified receipt; nil: none
	version      int64               // of the newest head in a verified receipt
}

// newDiscovery returns a client that remembers what the identity's folder does.
func newDiscovery(t *testing.T, source *identity.Source, address string) *discovery.Client {
	t.Helper()
	marks, err := discovery.OpenMarks(source.Folder().Path(identity.MarksFile))
	if err != nil {
		t.Fatal(err)
	}
	client, err := discovery.NewClient(discovery.Config{
		Source: source, Marks: marks, Addresses: []string{"https://" + address}, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// restart begins the node's next epoch, as its own start would.
func (n *crashNode) restart(t *testing.T, address string) {
	t.Helper()
	n.client = newDiscovery(t, n.source, address)
	n.next.Epoch = max(time.Now().Unix(), n.next.Epoch+1)
	n.next.Sequence = 0
}

// register registers until the registry is gone or wants a pause.
func (n *crashNode) register(ctx context.Context, a *attack) error {
	defer n.client.Close()
	remote := n.client.Remotes()[0]
	for !a.isOver() {
		statement, err := n.sign()
		if err != nil {
			return err
		}
		a.moment(false)
		accepted, err := n.client.Publish(ctx, remote, statement)
		switch {
		case identity.CodeOf(err) == identity.Busy:
			return nil
		case err != nil && a.isOver() && isAbsence(err):
			return nil
		case err != nil:
			return fmt.Errorf("%s at (%d, %d): %w", statement.Node(), statement.Epoch(), statement.Sequence(), err)
		}
		n.acknowledged, n.version = statement, accepted.Head.Version
		a.moment(true)
	}
	return nil
}

// isAbsence reports whether an error is that of a registry that is gone, and
// not that of one which said something wrong.
func isAbsence(err error) bool {
	code := identity.CodeOf(err)
	return code == "" || code == identity.Unavailable
}

// sign signs the node's next record.
func (n *crashNode) sign() (*identity.Statement, error) {
	i := n.source.Identity()
	chain, err := identity.NewChain(i.ID(), 240)
	if err != nil {
		return nil, err
	}
	n.next.Sequence++
	n.next.IAT = max(time.Now().Unix(), n.next.IAT)
	n.next.Exp = n.next.IAT + 3600
	n.next.Check = identity.Check{Interval: 10, Type: identity.CheckNone}
	n.next.Endpoints = []identity.Endpoint{{Address: "127.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}}
	n.next.Heartbeat = identity.Heartbeat{Anchor: chain.Anchor(), Count: 240, Interval: 15}
	n.next.Metadata = map[string]string{}
	n.next.State = identity.Active
	return identity.SignRecord(n.next, i.Credential, i.Bundle)
}

// isKeptBy reports whether found lists the node with what was acknowledged
// last, or with something later.
func (n *crashNode) isKeptBy(found *discovery.Found) bool {
	if n.acknowledged == nil {
		return true
	}
	for _, listed := range found.Nodes {
		r := listed.Record
		if r.Node != n.acknowledged.Node() {
			continue
		}
		order := cmp.Or(cmp.Compare(r.Epoch, n.acknowledged.Epoch()), cmp.Compare(r.Sequence, n.acknowledged.Sequence()))
		return order > 0 || order == 0 && listed.RID == n.acknowledged.RID()
	}
	return false
}
