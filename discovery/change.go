package discovery

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/neurons-me/netget/identity"
)

// MaxChanges bounds the change list of one version.
const MaxChanges = 4096

// maxChangeBytes is more than the names and hashes of one change take.
const maxChangeBytes = 1 << 10

// A Status is what a registry's health watch says of a record.
type Status uint8

// The statuses, with the numbers that are hashed.
const (
	_ Status = iota
	Up
	Suspect
	Down
)

// String returns "up", "suspect" or "down".
func (s Status) String() string {
	switch s {
	case Up:
		return "up"
	case Suspect:
		return "suspect"
	case Down:
		return "down"
	}
	return "none"
}

// MarshalText returns the form of unsigned JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the form of unsigned JSON; anything else is malformed.
func (s *Status) UnmarshalText(b []byte) error {
	for _, known := range []Status{Up, Suspect, Down} {
		if string(b) == known.String() {
			*s = known
			return nil
		}
	}
	return identity.Refuse(identity.Malformed, "%.20q is not a status", b)
}

// A Reason says why a change list has an entry.
type Reason string

// The reasons.
const (
	ReasonPut       Reason = "put"       // a record became the state
	ReasonTombstone Reason = "tombstone" // the node said goodbye
	ReasonOperator  Reason = "operator"  // an operator removed it
	ReasonExpired   Reason = "expired"   // its record ended by its own signature
	ReasonRevoked   Reason = "revoked"   // its certificate is on a CRL
	ReasonStatus    Reason = "status"    // the health watch changed its mind
)

// A Change is one entry of a version's change list: what happened to one node.
type Change struct {
	Node   identity.NodeID
	Old    identity.Hash // rid of the record listed before; zero: none
	New    identity.Hash // rid of what came; zero: nothing
	Reason Reason
	Status Status // zero where nothing stays listed
	Since  int64
}

// EncodeChanges returns the canonical change list, sorted by node:
// [[node, service, old, new, reason, status, since], …].
func EncodeChanges(changes []Change) ([]byte, error) {
	if len(changes) > MaxChanges {
		return nil, identity.Refuse(identity.Limits, "%d changes in one version, more than %d", len(changes), MaxChanges)
	}
	sorted := slices.SortedFunc(slices.Values(changes), func(a, b Change) int { return cmp.Compare(a.Node.String(), b.Node.String()) })
	rows := make([][7]any, 0, len(sorted))
	for _, c := range sorted {
		rows = append(rows, [7]any{c.Node, c.Node.Service(), ridText(c.Old), ridText(c.New), c.Reason, uint8(c.Status), c.Since})
	}
	return identity.MarshalCanonical(rows)
}

// ParseChanges reads a canonical change list: closed, sorted, one entry a node.
func ParseChanges(text []byte) ([]Change, error) {
	if len(text) > MaxChanges*maxChangeBytes {
		return nil, identity.Refuse(identity.Limits, "a change list of %d bytes, more than %d", len(text), MaxChanges*maxChangeBytes)
	}
	if err := identity.CheckCanonical(text); err != nil {
		return nil, err
	}
	var rows []json.RawMessage // each row by itself: only one is ever taken apart at a time
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, identity.Refuse(identity.Malformed, "decoding a change list: %w", err)
	}
	if len(rows) > MaxChanges {
		return nil, identity.Refuse(identity.Limits, "%d changes in one version, more than %d", len(rows), MaxChanges)
	}
	changes := make([]Change, 0, len(rows))
	for _, row := range rows {
		c, err := parseChange(row)
		if err != nil {
			return nil, err
		}
		if n := len(changes); n > 0 && changes[n-1].Node.String() >= c.Node.String() {
			return nil, identity.Refuse(identity.Malformed, "a change list out of order at %s", c.Node)
		}
		changes = append(changes, c)
	}
	again, err := EncodeChanges(changes)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, identity.Refuse(identity.Malformed, "a change list with entries of another form")
	}
	return changes, nil
}

func parseChange(text json.RawMessage) (Change, error) {
	var row []json.RawMessage
	if err := json.Unmarshal(text, &row); err != nil {
		return Change{}, identity.Refuse(identity.Malformed, "decoding a change: %w", err)
	}
	var c Change
	var service, before, after string
	var status uint8
	fields := []any{&c.Node, &service, &before, &after, &c.Reason, &status, &c.Since}
	if len(row) != len(fields) {
		return Change{}, identity.Refuse(identity.Malformed, "a change has %d members, not %d", len(fields), len(row))
	}
	for i, field := range fields {
		if err := json.Unmarshal(row[i], field); err != nil {
			return Change{}, identity.Refuse(identity.Malformed, "decoding a change: %w", err)
		}
	}
	c.Status = Status(status)
	var err error
	if c.Old, err = parseRID(before); err != nil {
		return Change{}, err
	}
	if c.New, err = parseRID(after); err != nil {
		return Change{}, err
	}
	return c, nil
}

// ChangesHash returns the "changes" of a head.
func ChangesHash(list []byte) identity.Hash { return sha256.Sum256(list) }

func ridText(h identity.Hash) string {
	if h.IsZero() {
		return ""
	}
	return h.String()
}

func parseRID(s string) (identity.Hash, error) {
	if s == "" {
		return identity.Hash{}, nil
	}
	return identity.ParseHash(s)
}
