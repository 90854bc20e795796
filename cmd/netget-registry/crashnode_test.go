package main_test

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A crashNode is a service node that registers over and over.
type crashNode struct {
	source *identity.Source
	marks  *discovery.Marks  // of all rounds
	client *discovery.Client // of this round

	next         identity.Record
	chain        *identity.Chain     // of the last that was signed
	signed       *identity.Statement // the last that registerOnce has sent
	acknowledged *identity.Statement // the last with a verified receipt; nil: none
	version      int64               // of the newest head in a verified receipt
}

// restart begins the node's next epoch, as its own start would.
func (n *crashNode) restart(client *discovery.Client) {
	n.client = client
	n.next.Epoch = max(time.Now().Unix(), n.next.Epoch+1)
	n.next.Sequence = 0
}

// connect makes the connection that the node will register by. On a machine
// that has much to do, it takes more than one attempt.
func (n *crashNode) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		_, err := n.client.Remotes()[0].Peer(ctx)
		if err == nil || ctx.Err() != nil || !isAbsence(err) {
			return err
		}
	}
}

// register registers until the registry is gone or wants a pause.
func (n *crashNode) register(ctx context.Context, a *attack) error {
	defer n.client.Close()
	remote := n.client.Remotes()[0]
	for a.takeTurn() {
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
		case err != nil && isAbsence(err): // nothing was promised
			a.unanswered()
			continue
		case err != nil:
			return fmt.Errorf("%s at (%d, %d): %w", statement.Node(), statement.Epoch(), statement.Sequence(), err)
		}
		n.acknowledged, n.version = statement, accepted.Head.Version
		a.moment(true)
	}
	return nil
}

// registerOnce registers and keeps what was accepted.
func (n *crashNode) registerOnce(ctx context.Context) error {
	statement, err := n.sign()
	if err != nil {
		return err
	}
	n.signed = statement
	accepted, err := n.client.Publish(ctx, n.client.Remotes()[0], statement)
	if err != nil {
		return fmt.Errorf("registering %s: %w", statement.Node(), err)
	}
	n.acknowledged, n.version = statement, accepted.Head.Version
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
	n.chain = chain
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
