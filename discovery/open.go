package discovery

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
)

// maxKnown bounds how many opened records an Opener remembers.
const maxKnown = 4 * MaxServiceRecords

// An Ask is what was asked, of whom, and what the asker knows already.
type Ask struct {
	Service    string
	Peer       identity.NodeID                 // whom the TLS peer proved to be; zero: nobody was asked directly
	Registries func(identity.NodeID) bool      // whether a registry is on the asker's list; nil: no list
	Mark       *identity.RegistryMark          // whose version was sent as from; nil: from=0
	Nodes      func(identity.NodeID) *NodeMark // what is remembered of a node; nil function: nothing
	Overheard  bool                            // somebody else asked: what the answer follows from is not judged
	Now        time.Time
}

// from returns the version that rode on the request.
func (a Ask) from() int64 {
	if a.Mark == nil {
		return 0
	}
	return a.Mark.Version
}

// An Opener verifies what registries send, under one trust bundle: the client
// algorithm of docs/protocol.md section 5, steps 1 to 9. It remembers which
// records it has verified, so that an unchanged one costs little. It is safe
// for concurrent use.
type Opener struct {
	bundle *identity.Bundle

	mu    sync.Mutex
	known map[string]*opened // by token and leaf; guarded by mu
}

// opened is a record that was verified, with the greatest token seen of it.
type opened struct {
	statement *identity.Statement

	mu   sync.Mutex
	beat identity.Beat // guarded by mu
	sent []byte        // the last that was judged; guarded by mu
}

// NewOpener returns an Opener for the network of b.
func NewOpener(b *identity.Bundle) *Opener {
	return &Opener{bundle: b, known: map[string]*opened{}}
}

// Bundle returns what the Opener trusts.
func (o *Opener) Bundle() *identity.Bundle { return o.bundle }

// Answer opens an answer. Any error, of the class that docs/protocol.md names,
// refuses all of it. The view's mark has not been written anywhere yet.
func (o *Opener) Answer(doc []byte, ask Ask) (*View, error) {
	var a Answer
	if err := decodeLists(doc, &a); err != nil {
		return nil, err
	}
	if err := a.checkLists(); err != nil {
		return nil, err
	}
	head, err := o.openSeal(a.Seal, ask)
	if err != nil {
		return nil, err
	}
	value, found, err := o.prove(head, a.Proof, ask.Service)
	if err != nil {
		return nil, err
	}
	v := &View{Service: ask.Service, Head: head, Found: found, Value: value}
	if v.entries, err = o.openRecords(a, ask.Service); err != nil {
		return nil, err
	}
	if err := head.checkWhole(ask.Mark); err != nil {
		return nil, err
	}
	if err := checkValue(ask.Service, v.entries, value, found, head); err != nil {
		return nil, err
	}
	beats := make([]json.RawMessage, len(a.Records))
	for i, r := range a.Records {
		beats[i] = r.Heartbeat
	}
	o.judge(v, beats, ask)
	return v, nil
}

// Refresh opens a refresh of the answer that full came from. Its value must be
// the same one.
func (o *Opener) Refresh(doc []byte, full *View, ask Ask) (*View, error) {
	var r Refresh
	if err := decodeLists(doc, &r); err != nil {
		return nil, err
	}
	if r.Records == nil {
		return nil, identity.Refuse(identity.Malformed, "the list of records is missing")
	}
	head, err := o.openSeal(r.Seal, ask)
	if err != nil {
		return nil, err
	}
	value, found, err := o.prove(head, r.Proof, ask.Service)
	if err != nil {
		return nil, err
	}
	if value != full.Value || found != full.Found || len(r.Records) != len(full.entries) {
		return nil, identity.Refuse(identity.Malformed, "a refresh of another answer")
	}
	if err := head.checkWhole(ask.Mark); err != nil {
		return nil, err
	}
	v := &View{Service: ask.Service, Head: head, Found: found, Value: value, entries: full.entries}
	beats := make([]json.RawMessage, len(r.Records))
	for i, record := range r.Records {
		beats[i] = record.Heartbeat
	}
	o.judge(v, beats, ask)
	return v, nil
}

// Head opens a head by itself.
func (o *Opener) Head(doc []byte, ask Ask) (Head, error) {
	var d HeadDocument
	if err := decode(doc, &d); err != nil {
		return Head{}, err
	}
	head, err := o.openSeal(d.Seal, ask)
	if err != nil {
		return Head{}, err
	}
	return head, head.checkWhole(ask.Mark)
}

// Services opens the list of all services and rebuilds the map's root from it.
func (o *Opener) Services(doc []byte, ask Ask) (Head, []ServiceSum, error) {
	var l ServiceList
	if err := decode(doc, &l); err != nil {
		return Head{}, nil, err
	}
	if l.Services == nil {
		return Head{}, nil, identity.Refuse(identity.Malformed, "the list of services is missing")
	}
	head, err := o.openSeal(l.Seal, ask)
	if err != nil {
		return Head{}, nil, err
	}
	sums, changes, records := make([]ServiceSum, 0, len(l.Services)), make([]prefixmap.Change, 0, len(l.Services)), int64(0)
	for i, row := range l.Services {
		if err := identity.CheckService(row.Service); err != nil {
			return Head{}, nil, err
		}
		if row.Count < 1 || row.Count > MaxServiceRecords {
			return Head{}, nil, identity.Refuse(identity.Limits, "%q has %d records", row.Service, row.Count)
		}
		if i > 0 && row.Service <= l.Services[i-1].Service {
			return Head{}, nil, identity.Refuse(identity.Incomplete, "the services are out of order at %q", row.Service)
		}
		sum := ServiceSum(row)
		sums, records = append(sums, sum), records+row.Count
		changes = append(changes, prefixmap.Change{Key: ServiceKey(o.bundle.NID(), row.Service), Value: sum.Value()})
	}
	if root := (prefixmap.Map{}).Apply(changes).Root(); root != head.Root || int64(len(sums)) != head.Services || records != head.Records {
		return Head{}, nil, identity.Refuse(identity.Incomplete, "the services sent are not those of the head")
	}
	return head, sums, head.checkWhole(ask.Mark)
}

// decodeLists is decode for documents whose lists have a limit of their own.
func decodeLists(doc []byte, v any) error {
	if len(doc) <= MaxAnswerBytes {
		if err := checkArrays(doc, MaxServiceRecords); err != nil {
			return err
		}
	}
	return decode(doc, v)
}

// decode reads the outer JSON within its limit.
func decode(doc []byte, v any) error {
	if len(doc) > MaxAnswerBytes {
		return identity.Refuse(identity.Limits, "an answer of %d bytes, more than %d", len(doc), MaxAnswerBytes)
	}
	err := identity.UnmarshalStrict(doc, v)
	if errors.Is(err, prefixmap.ErrTooLong) {
		return identity.Refuse(identity.Limits, "the proof: %w", err)
	}
	return err
}

func (a *Answer) checkLists() error {
	if a.Records == nil || a.Certificates == nil || a.Issuers == nil {
		return identity.Refuse(identity.Malformed, "a list of the answer is missing")
	}
	if len(a.Issuers) > maxAnswerIssuers {
		return identity.Refuse(identity.Limits, "an answer with %d issuers, more than %d", len(a.Issuers), maxAnswerIssuers)
	}
	return nil
}

// openSeal is steps 2 to 4: who signed, the head, that it stands in its own
// log, and that it goes on from what the asker knew.
func (o *Opener) openSeal(s Seal, ask Ask) (Head, error) {
	head, err := o.openHead(s, ask)
	if err != nil {
		return Head{}, err
	}
	leaf, err := head.LogLeaf()
	if err != nil {
		return Head{}, err
	}
	if err := translog.VerifyInclusion(rawHashes(s.Inclusion), head.Version, head.Log, head.Version-1, translog.LeafHash(leaf)); err != nil {
		return Head{}, identity.Refuse(identity.Equivocation, "%s is not in its own log: %w", head, err)
	}
	if ask.Overheard {
		return head, nil // its consistency proof starts from a mark that is not ours
	}
	return head, checkContinues(head, s.Consistency, ask.Mark)
}

// openHead is steps 2 and 3, and the first rule of 4.
func (o *Opener) openHead(s Seal, ask Ask) (Head, error) {
	if s.Registry == nil || s.Inclusion == nil {
		return Head{}, identity.Refuse(identity.Malformed, "a list beside the head is missing")
	}
	if len(s.Inclusion) > translog.MaxProof || s.Consistency != nil && len(s.Consistency.Proof) > translog.MaxProof {
		return Head{}, identity.Refuse(identity.Limits, "a proof of more than %d hashes", translog.MaxProof)
	}
	signer, err := openSigner(s.Registry, o.bundle, ask.Now)
	if err != nil {
		return Head{}, err
	}
	id := signer.cert.ID()
	if ask.Registries != nil && !ask.Registries(id) {
		return Head{}, identity.Refuse(identity.Binding, "%s is not one of the registries that the authority named", id)
	}
	if !ask.Peer.IsZero() && ask.Peer != id {
		return Head{}, identity.Refuse(identity.Binding, "%s answered with a head of %s", ask.Peer, id)
	}
	head, err := signer.open(s.Head, o.bundle, ask.Now)
	if err != nil {
		return Head{}, err
	}
	if head.Version < ask.from() {
		return Head{}, identity.Refuse(identity.Rollback, "%s, where %d was seen before", head, ask.from())
	}
	return head, nil
}

// checkContinues verifies that the log of head continues the one that the
// asker has seen.
func checkContinues(head Head, c *Consistency, mark *identity.RegistryMark) error {
	if mark == nil || mark.Version == head.Version {
		if c != nil {
			return identity.Refuse(identity.Malformed, "a consistency proof that nobody asked for")
		}
		return checkSame(head, mark)
	}
	if c == nil {
		return identity.Refuse(identity.Equivocation, "%s withholds how it follows version %d", head, mark.Version)
	}
	if c.From != mark.Version || c.Proof == nil {
		return identity.Refuse(identity.Malformed, "a consistency proof from version %d, not %d", c.From, mark.Version)
	}
	return CheckConsistency(c.Proof, *mark, head.Mark())
}

// checkSame verifies that the version of the mark, seen again, has not changed.
func checkSame(head Head, mark *identity.RegistryMark) error {
	if mark != nil && (mark.Root != head.Root || mark.Log != head.Log) {
		return identity.Refuse(identity.Equivocation, "%s shows two histories", head)
	}
	return nil
}

// CheckConsistency verifies that the log of newer continues that of older; a
// failure is an equivocation.
func CheckConsistency(proof []identity.Hash, older, newer identity.RegistryMark) error {
	if err := translog.VerifyConsistency(rawHashes(proof), newer.Version, newer.Log, older.Version, older.Log); err != nil {
		return identity.Refuse(identity.Equivocation, "version %d does not continue version %d: %w", newer.Version, older.Version, err)
	}
	return nil
}

// prove is step 5: what the map holds for the service.
func (o *Opener) prove(head Head, p prefixmap.Proof, service string) (value identity.Hash, found bool, err error) {
	if p.Siblings == nil {
		return identity.Hash{}, false, identity.Refuse(identity.Malformed, "the proof is missing")
	}
	v, found, err := prefixmap.Verify(head.Root, ServiceKey(o.bundle.NID(), service), p)
	if err != nil {
		return identity.Hash{}, false, identity.Refuse(identity.Incomplete, "the proof for %q: %w", service, err)
	}
	return v, found, nil
}

// checkValue is step 8: the records sent are all there are.
func checkValue(service string, entries []entry, value identity.Hash, found bool, head Head) error {
	if !found {
		if len(entries) != 0 {
			return identity.Refuse(identity.Incomplete, "%d records beside the proof that there are none", len(entries))
		}
		return nil
	}
	if len(entries) == 0 {
		return identity.Refuse(identity.Incomplete, "a service without records is in no map")
	}
	listed := make([]Listed, len(entries))
	for i, e := range entries {
		if i > 0 && entries[i-1].statement().Node().String() >= e.statement().Node().String() {
			return identity.Refuse(identity.Incomplete, "the records are out of order at %s", e.statement().Node())
		}
		if e.since > head.Made {
			return identity.Refuse(identity.Incomplete, "a status since %d in a version made at %d", e.since, head.Made)
		}
		listed[i] = Listed{e.statement(), e.status, e.since}
	}
	if int64(len(entries)) > head.Records || newSortedService(service, listed).Value() != value {
		return identity.Refuse(identity.Incomplete, "the records sent are not those of the head")
	}
	return nil
}
