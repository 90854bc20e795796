package discovery

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
)

// A Listing is an opened receipt: the registry verifiably lists the record.
type Listing struct {
	Head   Head
	Status Status
	Since  int64
	Time   int64 // the registry's clock, Unix seconds
	Notes  []string
}

// Receipt opens the receipt for record. A receipt that does not prove that very
// record is [identity.Incomplete].
func (o *Opener) Receipt(doc []byte, record *identity.Statement, ask Ask) (*Listing, error) {
	var r Receipt
	if err := decodeLists(doc, &r); err != nil {
		return nil, err
	}
	return o.openReceipt(r, record.Node(), record.RID(), ask)
}

// Node opens the answer about one node: its record with the receipt.
func (o *Opener) Node(doc []byte, node identity.NodeID, ask Ask) (*View, error) {
	var a NodeAnswer
	if err := decodeLists(doc, &a); err != nil {
		return nil, err
	}
	if len(a.Records) != 1 || a.Certificates == nil || a.Issuers == nil {
		return nil, identity.Refuse(identity.Malformed, "an answer about one node with %d records", len(a.Records))
	}
	if err := a.checkLists(); err != nil {
		return nil, err
	}
	head, err := o.openSeal(a.Seal, ask)
	if err != nil {
		return nil, err
	}
	entries, err := o.openRecords(Answer{Records: a.Records, Certificates: a.Certificates, Issuers: a.Issuers}, node.Service())
	if err != nil {
		return nil, err
	}
	s := entries[0].statement()
	if s.Node() != node {
		return nil, identity.Refuse(identity.Binding, "a record of %s in the answer about %s", s.Node(), node)
	}
	listing, err := o.checkListing(head, a.Receipt, node, s.RID(), ask)
	if err != nil {
		return nil, err
	}
	if listing.Status != entries[0].status || listing.Since != entries[0].since {
		return nil, identity.Refuse(identity.Incomplete, "the record's status is not the receipt's")
	}
	v := &View{Service: node.Service(), Head: listing.Head, Found: true, entries: entries}
	o.judge(v, []json.RawMessage{a.Records[0].Heartbeat}, ask)
	return v, nil
}

func (r *Receipt) checkLists() error {
	if r.RecordPath == nil || r.StatusPath == nil || r.Notes == nil || r.Status == 0 {
		return identity.Refuse(identity.Malformed, "a list or the status of the receipt is missing")
	}
	return nil
}

func (o *Opener) openReceipt(r Receipt, node identity.NodeID, rid identity.Hash, ask Ask) (*Listing, error) {
	if err := r.checkLists(); err != nil {
		return nil, err
	}
	head, err := o.openSeal(r.Seal, ask)
	if err != nil {
		return nil, err
	}
	return o.checkListing(head, r, node, rid, ask)
}

// checkListing verifies that the map of head holds the service of the receipt,
// and that service the record with its status.
func (o *Opener) checkListing(head Head, r Receipt, node identity.NodeID, rid identity.Hash, ask Ask) (*Listing, error) {
	if r.RID != rid {
		return nil, identity.Refuse(identity.Incomplete, "a receipt for another record")
	}
	value, found, err := o.prove(head, r.Proof, node.Service())
	if err != nil {
		return nil, err
	}
	if r.Service.Count < 1 || r.Service.Count > min(MaxServiceRecords, head.Records) || r.Since < 0 || r.Since > head.Made {
		return nil, identity.Refuse(identity.Incomplete, "a receipt among %d records, since %d", r.Service.Count, r.Since)
	}
	sum := ServiceSum{node.Service(), r.Service.Count, r.Service.RecordsRoot, r.Service.StatusRoot}
	if !found || sum.Value() != value {
		return nil, identity.Refuse(identity.Incomplete, "the service of the receipt is not the one of the head")
	}
	if err := translog.VerifyInclusion(rawHashes(r.RecordPath), sum.Count, sum.RecordsRoot, r.Index, recordLeaf(node, rid)); err != nil {
		return nil, identity.Refuse(identity.Incomplete, "the record is not among those of the head: %w", err)
	}
	if err := translog.VerifyInclusion(rawHashes(r.StatusPath), sum.Count, sum.StatusRoot, r.Index, statusLeaf(rid, r.Status, r.Since)); err != nil {
		return nil, identity.Refuse(identity.Incomplete, "the status is not among those of the head: %w", err)
	}
	return &Listing{Head: head, Status: r.Status, Since: r.Since, Time: r.Time, Notes: r.Notes}, head.checkWhole(ask.Mark)
}

// TombstoneReceipt opens the receipt for a tombstone: the log holds a version
// whose change list applied it.
func (o *Opener) TombstoneReceipt(doc []byte, tombstone *identity.Statement, ask Ask) (Head, error) {
	var r TombstoneReceipt
	if err := decodeLists(doc, &r); err != nil {
		return Head{}, err
	}
	head, err := o.openHead(r.Seal, ask)
	if err != nil {
		return Head{}, err
	}
	if err := checkContinues(head, r.Consistency, ask.Mark); err != nil {
		return Head{}, err
	}
	if r.RID != tombstone.RID() {
		return Head{}, identity.Refuse(identity.Incomplete, "a receipt for another tombstone")
	}
	applied, err := ParseLogLeaf([]byte(r.Leaf))
	if err != nil {
		return Head{}, identity.Refuse(identity.Incomplete, "the leaf of the receipt: %w", err)
	}
	if applied.Version > head.Version || applied.Registry != head.Registry || applied.NID != head.NID {
		return Head{}, identity.Refuse(identity.Incomplete, "the leaf of the receipt is of another log")
	}
	if err := translog.VerifyInclusion(rawHashes(r.Inclusion), head.Version, head.Log, applied.Version-1, translog.LeafHash([]byte(r.Leaf))); err != nil {
		return Head{}, identity.Refuse(identity.Incomplete, "the leaf of the receipt is not in the log: %w", err)
	}
	if err := checkApplied(r.Changes, applied, tombstone); err != nil {
		return Head{}, err
	}
	return head, head.checkWhole(ask.Mark)
}

func checkApplied(raw json.RawMessage, applied Head, tombstone *identity.Statement) error {
	var list bytes.Buffer
	if err := json.Compact(&list, raw); err != nil {
		return identity.Refuse(identity.Incomplete, "the change list of the receipt: %w", err)
	}
	changes, err := ParseChanges(list.Bytes())
	if err != nil {
		return identity.Refuse(identity.Incomplete, "the change list of the receipt: %w", err)
	}
	if ChangesHash(list.Bytes()) != applied.Changes {
		return identity.Refuse(identity.Incomplete, "the change list of the receipt is not the version's")
	}
	if !slices.ContainsFunc(changes, func(c Change) bool { return c.Node == tombstone.Node() && c.New == tombstone.RID() }) {
		return identity.Refuse(identity.Incomplete, "the version of the receipt did not apply the tombstone")
	}
	return nil
}
