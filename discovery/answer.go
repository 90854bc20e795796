package discovery

import (
	"encoding/json"

	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/identity"
)

// Media types of what a registry sends.
const (
	AnswerType  = "application/netget-answer+json"
	RefreshType = "application/netget-refresh+json"
	ReceiptType = "application/netget-receipt+json"
	JWSType     = "application/jose"
	ProblemType = "application/problem+json"
)

// MaxAnswerBytes bounds an answer, decompressed.
const MaxAnswerBytes = 32 << 20

// A Seal is what everything that a registry sends carries: its head, who
// signed that, and where it stands in the log.
type Seal struct {
	Head        string          `json:"head"`
	Registry    [][]byte        `json:"registry"`  // DER: signing leaf, registry issuer
	Inclusion   []identity.Hash `json:"inclusion"` // of the version's leaf in the log
	Consistency *Consistency    `json:"consistency,omitempty"`
}

// A Consistency links the log that the caller knew with the one of the head.
type Consistency struct {
	From  int64           `json:"from"`
	Proof []identity.Hash `json:"proof"`
}

// An Answer is what a registry says about one service, as it is sent: unsigned
// JSON around signed parts. Only [Opener.Answer] makes sense of it.
type Answer struct {
	Seal
	Proof        prefixmap.Proof `json:"proof"`
	Records      []AnswerRecord  `json:"records"` // in tree order
	Certificates [][]byte        `json:"certificates"`
	Issuers      [][]byte        `json:"issuers"`
}

// An AnswerRecord is one record in an [Answer].
type AnswerRecord struct {
	Record    string          `json:"record"`
	Status    Status          `json:"status"`
	Since     int64           `json:"since"`
	Heartbeat json.RawMessage `json:"heartbeat,omitempty"` // an [identity.Beat]; none before the first

	// The registry's word, which nothing proves: why the status is not up, and
	// whether heartbeats and probes contradict each other.
	Reason   string `json:"reason,omitempty"`
	Disputed bool   `json:"disputed,omitempty"`
}

// A Refresh renews an [Answer] of the same value: a new head, newer heartbeats.
type Refresh struct {
	Seal
	Proof   prefixmap.Proof `json:"proof"`
	Records []RefreshRecord `json:"records"` // same number, same order
}

// A RefreshRecord is what changes of a record between two versions of it.
type RefreshRecord struct {
	Heartbeat json.RawMessage `json:"heartbeat,omitempty"`
}

// A ServiceList is all services of a network, from which the map's root follows.
type ServiceList struct {
	Seal
	Services []ServiceRow `json:"services"` // sorted by service
}

// A ServiceRow is [service, count, recordsRoot, statusRoot].
type ServiceRow ServiceSum

// MarshalJSON returns the array.
func (r ServiceRow) MarshalJSON() ([]byte, error) {
	return json.Marshal([4]any{r.Service, r.Count, r.RecordsRoot, r.StatusRoot})
}

// UnmarshalJSON reads the array.
func (r *ServiceRow) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	fields := []any{&r.Service, &r.Count, &r.RecordsRoot, &r.StatusRoot}
	if len(raw) != len(fields) {
		return identity.Refuse(identity.Malformed, "a row of services has %d members, not %d", len(fields), len(raw))
	}
	for i, field := range fields {
		if err := json.Unmarshal(raw[i], field); err != nil {
			return err
		}
	}
	return nil
}

// A HeadDocument is a head with its place in the log.
type HeadDocument struct{ Seal }

// A Receipt proves to a node that its record is listed, and how.
type Receipt struct {
	Seal
	RID        identity.Hash   `json:"rid"`
	Time       int64           `json:"time"` // the registry's clock, Unix seconds
	Proof      prefixmap.Proof `json:"proof"`
	Service    ReceiptService  `json:"service"`
	Index      int64           `json:"index"` // of the record in its service, from 0
	RecordPath []identity.Hash `json:"recordPath"`
	Status     Status          `json:"status"`
	Since      int64           `json:"since"`
	StatusPath []identity.Hash `json:"statusPath"`
	Notes      []string        `json:"notes"` // what the registry will not do
}

// A ReceiptService is what else a service's value follows from.
type ReceiptService struct {
	Count       int64         `json:"count"`
	RecordsRoot identity.Hash `json:"recordsRoot"`
	StatusRoot  identity.Hash `json:"statusRoot"`
}

// A TombstoneReceipt proves to whoever signed a tombstone that it was applied:
// Leaf and Changes are those of the version which did, Inclusion is that leaf's.
type TombstoneReceipt struct {
	Seal
	RID     identity.Hash   `json:"rid"`
	Time    int64           `json:"time"`
	Leaf    string          `json:"leaf"`    // see [Head.LogLeaf]
	Changes json.RawMessage `json:"changes"` // see [EncodeChanges]
}

// A NodeAnswer is one record with its receipt.
type NodeAnswer struct {
	Receipt
	Records      []AnswerRecord `json:"records"` // one
	Certificates [][]byte       `json:"certificates"`
	Issuers      [][]byte       `json:"issuers"`
}

// EncodeBeat returns the heartbeat member for b; nil before the first.
func EncodeBeat(b identity.Beat) json.RawMessage {
	if b.K == 0 {
		return nil
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil // a number and a hash always encode
	}
	return text
}
