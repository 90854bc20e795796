package identity

// A Tombstone says that a node is gone. It is signed by the node itself, or by
// an operator of the network with the sequence [OperatorSequence]. Times are
// Unix seconds; the fields stand in the order of the canonical form.
type Tombstone struct {
	Aud      string `json:"aud"`
	Epoch    int64  `json:"epoch"`
	Exp      int64  `json:"exp"` // iat + 86,520
	IAT      int64  `json:"iat"`
	Network  string `json:"network"`
	Node     NodeID `json:"node"`
	Sequence int64  `json:"sequence"`
	Service  string `json:"service"`
	V        int64  `json:"v"`
}

// NewTombstone returns the tombstone of a node that follows the state at
// (epoch, sequence) with the given iat: the next sequence, never an earlier iat.
func NewTombstone(id NodeID, nid Hash, epoch, sequence, iat int64) Tombstone {
	return Tombstone{
		Aud: Audience(nid), Epoch: epoch, Exp: iat + tombstoneLife, IAT: iat, Network: id.TrustDomain().Network(),
		Node: id, Sequence: sequence + 1, Service: id.Service(), V: recordVersion,
	}
}

// TombstoneFor returns the tombstone that follows state as of now, in Unix
// seconds. See [NewTombstone].
func TombstoneFor(state *Statement, nid Hash, now int64) Tombstone {
	return NewTombstone(state.Node(), nid, state.Epoch(), state.Sequence(), max(now, state.IssuedAt()))
}

// CheckForm checks all that can be said of a tombstone without its
// certificate, network or a clock.
func (t *Tombstone) CheckForm() error {
	if t.V != recordVersion {
		return Refuse(Malformed, "a tombstone of version %d", t.V)
	}
	if t.Epoch < 1 || t.Sequence < 1 || t.Sequence > OperatorSequence {
		return Refuse(Limits, "epoch %d or sequence %d is out of range", t.Epoch, t.Sequence)
	}
	if !isNetwork(t.Network) {
		return Refuse(Malformed, "%q is not a network name", clip(t.Network))
	}
	if err := CheckService(t.Service); err != nil {
		return err
	}
	if t.Exp != t.IAT+tombstoneLife || t.Epoch > t.IAT+skewSeconds {
		return Refuse(BadTime, "a tombstone lives for %d s and its epoch is not later than its iat", tombstoneLife)
	}
	return nil
}
