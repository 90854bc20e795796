package command

import "github.com/neurons-me/netget"

// Peek reads what an answer claims.
func Peek(answer []byte) (issuedAt int64, service string, err error) {
	c, err := peek(answer)
	return c.issuedAt, c.service, err
}

// ParseEndpoint reads NAME=HOST:PORT.
func ParseEndpoint(text string) (netget.Endpoint, error) { return parseEndpoint(text) }

// ParsePlace reads HOST:PORT.
func ParsePlace(text string) (netget.Endpoint, error) { return parsePlace("address", text) }

// ParseCheck reads a kind of check.
func ParseCheck(text string) (netget.Check, error) { return parseCheck(text) }

// ParseMetadata reads pairs.
func ParseMetadata(pairs []string) (map[string]string, error) { return parseMetadata(pairs) }
