package vectors

import (
	"encoding/json"

	"github.com/neurons-me/netget/identity"
)

// A Signed is a statement with the certificates of whom signed it.
type Signed struct {
	Token       string `json:"token"`
	Certificate []byte `json:"certificate"` // DER
	Issuer      []byte `json:"issuer"`      // DER
}

// A Record is a statement handed to a registry by POST /v1/records over a
// connection with the client certificate Certificate, Issuer.
type Record struct {
	Case
	Bundle json.RawMessage `json:"bundle"`
	Now    int64           `json:"now"`
	Signed
	TokenGzip []byte      `json:"token_gzip,omitempty"` // in place of Token, where it is long and dull
	State     *Signed     `json:"state,omitempty"`      // what the registry holds of the node
	Want      *RecordWant `json:"want,omitempty"`
}

// A RecordWant is what a good statement says.
type RecordWant struct {
	RID      identity.Hash   `json:"rid"`
	Typ      identity.Typ    `json:"typ"`
	Node     identity.NodeID `json:"node"`
	Service  string          `json:"service"`
	Epoch    int64           `json:"epoch"`
	Sequence int64           `json:"sequence"`
	IAT      int64           `json:"iat"`
	Exp      int64           `json:"exp"`
	Operator bool            `json:"operator"` // signed by an operator
}

// A Heartbeat is a token handed to a registry by POST /v1/heartbeats over a
// connection of Peer.
type Heartbeat struct {
	Case
	Bundle json.RawMessage `json:"bundle"`
	Now    int64           `json:"now"`
	Peer   identity.NodeID `json:"peer"`
	RID    identity.Hash   `json:"rid"` // of the record, as the caller says
	Beat   identity.Beat   `json:"beat"`
	States []Signed        `json:"states"` // the present records of all nodes
	Last   *identity.Beat  `json:"last,omitempty"`
	Want   *HeartbeatWant  `json:"want,omitempty"`
}

// A HeartbeatWant is what counts after a heartbeat that was not refused.
type HeartbeatWant struct {
	Beat      identity.Beat `json:"beat"`
	LiveUntil int64         `json:"live_until"` // exclusive
}
