package identity

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Statement is a record or a tombstone after verification: holding one means
// that signature, certificate, network and every rule that needs no clock were
// checked. Only [Bundle.OpenStatement] makes one. It is immutable.
type Statement struct {
	env       *Envelope
	cert      *Certificate
	record    *Record    // one of the two
	tombstone *Tombstone //
}

// OpenStatement verifies the signature of env by cert and all rules of
// docs/protocol.md sections 3 and 4 but those of the clock, for which see
// [Statement.CheckTime].
func (b *Bundle) OpenStatement(env *Envelope, cert *Certificate) (*Statement, error) {
	if err := b.checkSigner(cert); err != nil {
		return nil, err
	}
	payload, err := env.Open(cert.leaf)
	if err != nil {
		return nil, err
	}
	s := &Statement{env: env, cert: cert}
	switch env.typ {
	case RecordTyp:
		err = s.readRecord(payload, b)
	case TombstoneTyp:
		err = s.readTombstone(payload, b)
	case HeadTyp:
		err = Refuse(BadHeader, "a head is no statement of a node")
	default:
		err = Refuse(BadHeader, "%q is no statement of a node", env.typ)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// checkSigner requires that cert was verified for [ClientUse], under a root of
// this bundle: a registry's signing certificate signs heads only.
func (b *Bundle) checkSigner(cert *Certificate) error {
	if cert.use != ClientUse {
		return Refuse(BadCert, "the certificate of %s is not one that signs statements", subjectOf(cert.id))
	}
	if cert.id.td != b.td || !slices.ContainsFunc(b.roots, cert.root.Equal) {
		return Refuse(BadCert, "the certificate of %s was not verified for %s", subjectOf(cert.id), b.td)
	}
	return nil
}

func (s *Statement) readRecord(payload []byte, b *Bundle) error {
	var r Record
	if err := UnmarshalCanonical(payload, &r); err != nil {
		return err
	}
	if err := r.CheckForm(); err != nil {
		return err
	}
	if err := b.checkNetwork(r.Aud, r.Network); err != nil {
		return err
	}
	if r.Node != s.cert.id {
		return Refuse(Binding, "the record is of %s, the certificate of %s", r.Node, s.cert.id)
	}
	if t := s.cert.id.Type(); r.Service != r.Node.Service() || (t != ServiceNode && t != RegistryNode) {
		return Refuse(Denied, "%s may not offer the service %q", s.cert.id, r.Service)
	}
	if r.IAT < s.cert.leaf.NotBefore.Unix() || r.Exp > s.cert.leaf.NotAfter.Unix() {
		return Refuse(BadTime, "the record lives from %d to %d, its certificate from %d to %d", r.IAT, r.Exp, s.cert.leaf.NotBefore.Unix(), s.cert.leaf.NotAfter.Unix())
	}
	s.record = &r
	return nil
}

func (s *Statement) readTombstone(payload []byte, b *Bundle) error {
	var t Tombstone
	if err := UnmarshalCanonical(payload, &t); err != nil {
		return err
	}
	if err := t.CheckForm(); err != nil {
		return err
	}
	if err := b.checkNetwork(t.Aud, t.Network); err != nil {
		return err
	}
	if t.Node.TrustDomain() != b.td {
		return Refuse(Denied, "the tombstone is for %s, of another network", t.Node)
	}
	if err := checkTombstoneSigner(&t, s.cert.id); err != nil {
		return err
	}
	if err := s.cert.CheckTime(time.Unix(t.IAT, 0)); err != nil {
		return err
	}
	s.tombstone = &t
	return nil
}

// checkTombstoneSigner lets a node end itself and an operator end any node
// that can register.
func checkTombstoneSigner(t *Tombstone, signer NodeID) error {
	target := t.Node.Type()
	if t.Service != t.Node.Service() || (target != ServiceNode && target != RegistryNode) {
		return Refuse(Denied, "there is no record of %s to remove", t.Node)
	}
	if signer.Type() == OperatorNode {
		if t.Sequence != OperatorSequence {
			return Refuse(Limits, "an operator's tombstone has the sequence %d", int64(OperatorSequence))
		}
		return nil
	}
	if t.Node != signer {
		return Refuse(Denied, "%s may not remove %s", signer, t.Node)
	}
	if t.Sequence > MaxSequence {
		return Refuse(Limits, "the sequence %d is an operator's", t.Sequence)
	}
	return nil
}

func (b *Bundle) checkNetwork(aud, network string) error {
	text, ok := strings.CutPrefix(aud, audPrefix)
	if !ok {
		return Refuse(Malformed, "%q is not an audience", clip(aud))
	}
	nid, err := ParseHash(text)
	if err != nil {
		return err
	}
	if nid != b.nid || network != b.td.network {
		return Refuse(WrongNetwork, "signed for the network %s (%s), this is %s (%s)", network, nid, b.td.network, b.nid)
	}
	return nil
}

// Token returns the signed object in compact form.
func (s *Statement) Token() string { return s.env.token }

// RID returns the object's name, SHA-256 of its signing input.
func (s *Statement) RID() Hash { return s.env.rid }

// Certificate returns whom it was signed by.
func (s *Statement) Certificate() *Certificate { return s.cert }

// Record returns the record; ok is false for a tombstone. The caller must not
// change what it points to.
func (s *Statement) Record() (r *Record, ok bool) { return s.record, s.record != nil }

// IsTombstone reports whether the statement says that the node is gone.
func (s *Statement) IsTombstone() bool { return s.tombstone != nil }

// ByOperator reports whether an operator, not the node, signed it.
func (s *Statement) ByOperator() bool {
	return s.tombstone != nil && s.tombstone.Sequence == OperatorSequence
}

// Node returns whom the statement is about.
func (s *Statement) Node() NodeID {
	if s.record != nil {
		return s.record.Node
	}
	return s.tombstone.Node
}

// Epoch returns which start of the node the statement is of.
func (s *Statement) Epoch() int64 {
	if s.record != nil {
		return s.record.Epoch
	}
	return s.tombstone.Epoch
}

// Sequence returns the statement's place within its epoch.
func (s *Statement) Sequence() int64 {
	if s.record != nil {
		return s.record.Sequence
	}
	return s.tombstone.Sequence
}

// IssuedAt returns iat, in Unix seconds.
func (s *Statement) IssuedAt() int64 {
	if s.record != nil {
		return s.record.IAT
	}
	return s.tombstone.IAT
}

// ExpiresAt returns exp, in Unix seconds; exclusive.
func (s *Statement) ExpiresAt() int64 {
	if s.record != nil {
		return s.record.Exp
	}
	return s.tombstone.Exp
}

// Compare orders statements of one node by (epoch, sequence, rid): the
// greatest is the node's state.
func (s *Statement) Compare(o *Statement) int {
	rid, other := s.RID(), o.RID()
	return cmp.Or(cmp.Compare(s.Epoch(), o.Epoch()), cmp.Compare(s.Sequence(), o.Sequence()), bytes.Compare(rid[:], other[:]))
}

// CheckTime reports whether the statement may be used at t: not from the
// future, and not over, by more than [ClockSkew]. A failure is [BadTime].
func (s *Statement) CheckTime(t time.Time) error {
	now := t.Unix()
	if s.IssuedAt() > now+skewSeconds {
		return Refuse(BadTime, "signed in the future, at %d", s.IssuedAt())
	}
	if now >= s.ExpiresAt()+skewSeconds {
		return Refuse(BadTime, "over since %d", s.ExpiresAt())
	}
	return nil
}

// RememberUntil returns how long (Unix seconds) a state must be remembered,
// given the greatest iat seen of its node: by then whatever it replaced is over.
func RememberUntil(greatestIAT int64) int64 { return greatestIAT + rememberedAfterIAT }

// SignRecord signs r with the credential of the node that it is about. The
// fields that follow from the credential (node, service, network, aud, v) are
// filled in; the others are checked as a registry would.
func SignRecord(r Record, cred *Credential, b *Bundle) (*Statement, error) {
	r.Aud, r.V = Audience(b.nid), recordVersion
	r.Node, r.Service, r.Network = cred.id, cred.id.service, b.td.network
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	if err := r.CheckForm(); err != nil {
		return nil, err
	}
	return sealStatement(RecordTyp, r, cred, b)
}

// SignTombstone signs t with the credential of its node or of an operator.
func SignTombstone(t Tombstone, cred *Credential, b *Bundle) (*Statement, error) {
	return sealStatement(TombstoneTyp, t, cred, b)
}

// sealStatement signs, then verifies its own work: what we would refuse from
// others never leaves.
func sealStatement(typ Typ, payload any, cred *Credential, b *Bundle) (*Statement, error) {
	cert, err := b.Verify(cred.leaf, cred.issuer, ClientUse)
	if err != nil {
		return nil, fmt.Errorf("checking our own certificate: %w", err)
	}
	token, err := Seal(typ, payload, cred)
	if err != nil {
		return nil, err
	}
	env, err := ParseEnvelope(token, typ)
	if err != nil {
		return nil, err
	}
	return b.OpenStatement(env, cert)
}
