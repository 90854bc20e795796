package discovery

import "github.com/neurons-me/netget/identity"

// Limits of what is worth opening.
const (
	maxAnswerIssuers = 64
	// maxCertificateBytes is what a whole chain may have: a certificate of many
	// names takes many times its room on the wire when it is parsed.
	maxCertificateBytes = 16 << 10
	// maxBeatHashes bounds the work that the heartbeats of one answer can make:
	// 20,000 records of a default life, met for the first time at its end.
	maxBeatHashes = 32 << 20
)

// checkArrays refuses, as [identity.Limits] and before anything is decoded, an
// array of more than most entries: decoded, empty entries take a hundred times
// the room that they had on the wire.
func checkArrays(doc []byte, most int) error {
	type level struct {
		array   bool
		entries int
	}
	var open []level
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			i = skipString(doc, i)
		case '[', '{':
			open = append(open, level{array: doc[i] == '[', entries: 1})
		case ']', '}':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case ',':
			if len(open) == 0 {
				continue
			}
			top := &open[len(open)-1]
			if top.entries++; top.array && top.entries > most {
				return identity.Refuse(identity.Limits, "a list of more than %d entries", most)
			}
		}
	}
	return nil
}

// skipString returns the index of the quote that ends the string begun at
// start, or the document's end.
func skipString(doc []byte, start int) int {
	for i := start + 1; i < len(doc); i++ {
		switch doc[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(doc)
}
