package vectors

import (
	"encoding/json"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A Kind says what a registry's message is.
type Kind string

// The kinds of messages.
const (
	AnswerKind           Kind = "answer"
	RefreshKind          Kind = "refresh"
	ReceiptKind          Kind = "receipt"
	TombstoneReceiptKind Kind = "tombstone-receipt"
	NodeKind             Kind = "node"
	ServicesKind         Kind = "services"
	HeadKind             Kind = "head"
)

// An Answer is a message of a registry with all that its reader knows.
type Answer struct {
	Case
	Kind       Kind                                   `json:"kind"`
	Bundle     json.RawMessage                        `json:"bundle"`
	Now        int64                                  `json:"now"`
	Service    string                                 `json:"service,omitempty"`
	Node       *identity.NodeID                       `json:"node,omitempty"` // kind node: whom was asked for
	Peer       *identity.NodeID                       `json:"peer,omitempty"` // who answered, as TLS showed; absent: unknown
	Registries []identity.NodeID                      `json:"registries"`     // on the reader's list
	Mark       *identity.RegistryMark                 `json:"mark,omitempty"` // whose version was sent as from; absent: from=0
	Nodes      map[identity.NodeID]discovery.NodeMark `json:"nodes,omitempty"`
	Statement  *Signed                                `json:"statement,omitempty"` // kinds receipt, tombstone-receipt: for what
	Full       string                                 `json:"full,omitempty"`      // kind refresh: the answer before
	Doc        string                                 `json:"doc,omitempty"`
	Gzip       []byte                                 `json:"gzip,omitempty"` // in place of Doc: the body as compressed
	Moved      *Moved                                 `json:"moved,omitempty"`
	Want       *AnswerWant                            `json:"want,omitempty"`
}

// A Moved says that the mark has moved since the request, and what GET
// /v1/proof says about the two.
type Moved struct {
	Mark  identity.RegistryMark `json:"mark"`
	Proof []identity.Hash       `json:"proof,omitempty"` // from the lower version to the higher
}

// An AnswerWant is what a good message proves.
type AnswerWant struct {
	Registry identity.NodeID        `json:"registry"`
	Mark     identity.RegistryMark  `json:"mark"` // of the head
	Found    bool                   `json:"found"`
	Value    *identity.Hash         `json:"value,omitempty"` // of the service in the map
	Active   []identity.NodeID      `json:"active"`
	Nodes    []NodeWant             `json:"nodes"`
	LeftOut  []LeftOut              `json:"left_out"`
	Services []discovery.ServiceRow `json:"services,omitempty"`
	// Marks are the marks of all nodes that the reader has afterwards.
	Marks     map[identity.NodeID]discovery.NodeMark `json:"marks,omitempty"`
	Status    string                                 `json:"status,omitempty"` // of a receipt
	Since     int64                                  `json:"since,omitempty"`
	Overtaken bool                                   `json:"overtaken,omitempty"` // dropped and asked again
}

// A NodeWant is what an answer proves of one node.
type NodeWant struct {
	ID     identity.NodeID `json:"id"`
	RID    identity.Hash   `json:"rid"`
	Status string          `json:"status"`
	Since  int64           `json:"since"`
	K      int64           `json:"k"` // of the greatest token that verified
	Live   bool            `json:"live"`
	Reason string          `json:"reason"` // why it is not active
}

// A LeftOut is a record that was left out of an answer that stands.
type LeftOut struct {
	ID   identity.NodeID `json:"id"`
	Code identity.Code   `json:"code"`
}
