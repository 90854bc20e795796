package catalog

import (
	"context"
	"encoding/json"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// Answer returns the answer about a service, with the newest heartbeats, for a
// caller who has seen version from (0: none). A service without records gives
// the proof of its absence. Errors are those of [Snapshot.Seal].
func (s *Snapshot) Answer(service string, from int64) (discovery.Answer, error) {
	seal, err := s.Seal(from)
	if err != nil {
		return discovery.Answer{}, err
	}
	a := discovery.Answer{
		Seal: seal, Proof: s.Proof(service), Records: []discovery.AnswerRecord{}, Certificates: [][]byte{}, Issuers: [][]byte{},
	}
	if listed := s.Service(service); listed != nil {
		a.Records, a.Certificates, a.Issuers = s.records(listed.Records())
	}
	return a, nil
}

// Refresh returns what renews an answer of the same value: head and heartbeats.
func (s *Snapshot) Refresh(service string, from int64) (discovery.Refresh, error) {
	seal, err := s.Seal(from)
	if err != nil {
		return discovery.Refresh{}, err
	}
	r := discovery.Refresh{Seal: seal, Proof: s.Proof(service), Records: []discovery.RefreshRecord{}}
	if listed := s.Service(service); listed != nil {
		for _, l := range listed.Records() {
			r.Records = append(r.Records, discovery.RefreshRecord{Heartbeat: s.beat(l)})
		}
	}
	return r, nil
}

// ServiceList returns all services of the network.
func (s *Snapshot) ServiceList(from int64) (discovery.ServiceList, error) {
	seal, err := s.Seal(from)
	return discovery.ServiceList{Seal: seal, Services: s.Services()}, err
}

// Receipt proves to a node that its record is listed. time is the registry's
// clock, notes what it will not do. A node that is not listed is
// [identity.NotFound].
func (s *Snapshot) Receipt(node identity.NodeID, from, time int64, notes []string) (discovery.Receipt, error) {
	service, index, err := s.find(node)
	if err != nil {
		return discovery.Receipt{}, err
	}
	seal, err := s.Seal(from)
	if err != nil {
		return discovery.Receipt{}, err
	}
	record, status, err := service.Paths(index)
	if err != nil {
		return discovery.Receipt{}, err
	}
	l, sum := service.Records()[index], service.Sum()
	return discovery.Receipt{
		Seal: seal, RID: l.Record.RID(), Time: time, Proof: s.Proof(sum.Service),
		Service: discovery.ReceiptService{Count: sum.Count, RecordsRoot: sum.RecordsRoot, StatusRoot: sum.StatusRoot},
		Index:   int64(index), RecordPath: record, Status: l.Status, Since: l.Since, StatusPath: status,
		Notes: append([]string{}, notes...),
	}, nil
}

// Node returns the answer about one node: its record with the receipt.
func (s *Snapshot) Node(node identity.NodeID, from, time int64) (discovery.NodeAnswer, error) {
	receipt, err := s.Receipt(node, from, time, nil)
	if err != nil {
		return discovery.NodeAnswer{}, err
	}
	service, index, err := s.find(node)
	if err != nil {
		return discovery.NodeAnswer{}, err
	}
	a := discovery.NodeAnswer{Receipt: receipt}
	a.Records, a.Certificates, a.Issuers = s.records(service.Records()[index : index+1])
	return a, nil
}

func (s *Snapshot) find(node identity.NodeID) (*discovery.Service, int, error) {
	if service := s.Service(node.Service()); service != nil {
		if index, found := service.Index(node); found {
			return service, index, nil
		}
	}
	return nil, 0, identity.Refuse(identity.NotFound, "%s is not listed", node)
}

// records returns listed records as they are sent, with each certificate once.
func (s *Snapshot) records(listed []discovery.Listed) (records []discovery.AnswerRecord, certificates, issuers [][]byte) {
	seen := make(map[string]struct{}, len(listed)+1)
	once := func(list [][]byte, der []byte) [][]byte {
		if _, dup := seen[string(der)]; dup {
			return list
		}
		seen[string(der)] = struct{}{}
		return append(list, der)
	}
	records, certificates, issuers = make([]discovery.AnswerRecord, 0, len(listed)), make([][]byte, 0, len(listed)), [][]byte{}
	for _, l := range listed {
		r := discovery.AnswerRecord{Record: l.Record.Token(), Status: l.Status, Since: l.Since, Heartbeat: s.beat(l)}
		r.Reason, r.Disputed = s.why(l)
		records = append(records, r)
		cert := l.Record.Certificate()
		certificates, issuers = once(certificates, cert.Leaf().Raw), once(issuers, cert.Issuer().Raw)
	}
	return records, certificates, issuers
}

// why returns what the health watch says of a record that is not up.
func (s *Snapshot) why(l discovery.Listed) (reason string, disputed bool) {
	if l.Status == discovery.Up || s.health == nil {
		return "", false
	}
	why, disputed := s.health.Why(l.Record.Node())
	return string(why), disputed
}

func (s *Snapshot) beat(l discovery.Listed) json.RawMessage {
	return discovery.EncodeBeat(s.beats.get(l.Record.RID()))
}

// TombstoneReceipt proves to whoever brought the tombstone of out that it was
// applied. The leaf and change list of an older version are read from the
// store: [identity.Gone] if they were pruned, [identity.Unavailable] if the
// store does not answer.
func (c *Catalog) TombstoneReceipt(ctx context.Context, out *Outcome, from int64) (discovery.TombstoneReceipt, error) {
	s := out.Snapshot
	leaf, changes, err := c.version(ctx, s, out.Applied)
	if err != nil {
		return discovery.TombstoneReceipt{}, err
	}
	seal, err := s.Seal(from)
	if err != nil {
		return discovery.TombstoneReceipt{}, err
	}
	if seal.Inclusion, err = s.inclusion(out.Applied); err != nil {
		return discovery.TombstoneReceipt{}, err
	}
	return discovery.TombstoneReceipt{
		Seal: seal, RID: out.Statement.RID(), Time: c.now().Unix(), Leaf: string(leaf), Changes: changes,
	}, nil
}
