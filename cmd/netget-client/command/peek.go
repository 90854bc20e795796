package command

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/neurons-me/netget/identity"
)

// claimed is what an answer says of itself. Nothing of it is verified: it only
// stands in for flags that were not given, and the verification that follows
// refuses what does not fit.
type claimed struct {
	issuedAt int64  // of the head
	service  string // of the first record; "" without records
}

// peek reads what an answer claims.
func peek(answer []byte) (claimed, error) {
	var outer struct {
		Head    string `json:"head"`
		Records []struct {
			Record string `json:"record"`
		} `json:"records"`
	}
	if err := json.Unmarshal(answer, &outer); err != nil {
		return claimed{}, identity.Refuse(identity.Malformed, "not an answer of a registry: %w", err)
	}
	var head struct {
		IAT int64 `json:"iat"`
	}
	if err := payload(outer.Head, &head); err != nil {
		return claimed{}, err
	}
	c := claimed{issuedAt: head.IAT}
	if len(outer.Records) == 0 {
		return c, nil
	}
	var record struct {
		Service string `json:"service"`
	}
	if err := payload(outer.Records[0].Record, &record); err != nil {
		return claimed{}, err
	}
	if record.Service == "" {
		return claimed{}, identity.Refuse(identity.Malformed, "the first record of the answer names no service")
	}
	c.service = record.Service
	return c, nil
}

// payload decodes the middle part of a compact JWS.
func payload(token string, into any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return identity.Refuse(identity.Malformed, "a signed part of the answer does not have three parts")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return identity.Refuse(identity.Malformed, "a signed part of the answer: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return identity.Refuse(identity.Malformed, "a signed part of the answer: %w", err)
	}
	return nil
}
