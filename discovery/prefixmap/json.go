package prefixmap

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// hashTextLen is the length of a hash in base64url without padding.
const hashTextLen = 43

// jsonProof is the wire form; "" stands for empty.
type jsonProof struct {
	Siblings []string `json:"siblings"`
	Key      string   `json:"key"`
	Value    string   `json:"value"`
}

// MarshalJSON returns {"siblings":[…],"key":…,"value":…} with hashes of 43
// characters base64url, "" where there is nothing. The list is never null.
func (p Proof) MarshalJSON() ([]byte, error) {
	doc := jsonProof{Siblings: make([]string, len(p.Siblings))}
	for i, s := range p.Siblings {
		if s != ([32]byte{}) {
			doc.Siblings[i] = hashText(s)
		}
	}
	if p.Key != nil {
		doc.Key = hashText(*p.Key)
	}
	if p.Value != nil {
		doc.Value = hashText(*p.Value)
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads what [Proof.MarshalJSON] writes. It refuses a missing
// member, null, or a hash of another form, with [ErrTooLong] a list that is
// too long. Unknown members are ignored; names must match in every letter.
// Repeated members are for the decoder of the surrounding document to refuse.
func (p *Proof) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage // a struct would take "Key" for "key"
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("reading proof: %w", err)
	}
	siblings, err := parseSiblings(members["siblings"])
	if err != nil {
		return fmt.Errorf("reading siblings of proof: %w", err)
	}
	key, err := parseMember(members["key"])
	if err != nil {
		return fmt.Errorf("reading key of proof: %w", err)
	}
	value, err := parseMember(members["value"])
	if err != nil {
		return fmt.Errorf("reading value of proof: %w", err)
	}
	*p = Proof{Siblings: siblings, Key: key, Value: value}
	return nil
}

// parseSiblings stops at the limit: a list may be short in bytes, yet long in
// hashes.
func parseSiblings(raw json.RawMessage) ([][32]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("not a list")
	}
	siblings := [][32]byte{}
	for dec.More() {
		if len(siblings) == MaxSiblings {
			return nil, ErrTooLong
		}
		h, err := parseToken(dec)
		if err != nil {
			return nil, err
		}
		if h == nil {
			h = new([32]byte)
		}
		siblings = append(siblings, *h)
	}
	return siblings, nil
}

func parseMember(raw json.RawMessage) (*[32]byte, error) {
	return parseToken(json.NewDecoder(bytes.NewReader(raw)))
}

// parseToken reads one hash, nil for "".
func parseToken(dec *json.Decoder) (*[32]byte, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, errors.New("missing")
	}
	s, ok := t.(string)
	if !ok {
		return nil, errors.New("not a string")
	}
	if s == "" {
		return nil, nil
	}
	return parseHash(s)
}

func parseHash(s string) (*[32]byte, error) {
	if len(s) != hashTextLen {
		return nil, fmt.Errorf("hash of %d characters, not %d", len(s), hashTextLen)
	}
	// The decoder skips line ends, which then leave too few bytes.
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("decoding hash: %w", err)
	}
	if len(b) != 32 {
		return nil, errors.New("hash is not 32 bytes")
	}
	return (*[32]byte)(b), nil
}

func hashText(h [32]byte) string { return base64.RawURLEncoding.EncodeToString(h[:]) }
