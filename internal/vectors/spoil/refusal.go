package spoil

import (
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/neurons-me/netget/identity"
)

// maxRefusalBytes bounds the text of a refusal: one line of a log.
const maxRefusalBytes = 2 << 10

// Refused fails the test unless err, with which something was refused, is of
// one of the classes of docs/protocol.md, and its text can be shown as it is on
// a terminal and in a log: one line of bounded length, without control
// characters, however the input was chosen.
func Refused(tb testing.TB, err error) {
	tb.Helper()
	if !slices.Contains(codes(), identity.CodeOf(err)) {
		tb.Errorf("a refusal of the class %q: %v", identity.CodeOf(err), err)
	}
	Shown(tb, err.Error())
}

// Shown fails the test unless text can be shown to a person as it is.
func Shown(tb testing.TB, text string) {
	tb.Helper()
	for _, r := range text {
		if unicode.IsControl(r) {
			tb.Errorf("a control character in %.2000q", text)
			return
		}
	}
	if len(text) > maxRefusalBytes || !utf8.ValidString(text) {
		tb.Errorf("a text of %d bytes, valid %v: %.400q", len(text), utf8.ValidString(text), text)
	}
}

// codes are all classes.
func codes() []identity.Code {
	return []identity.Code{
		identity.Limits, identity.Malformed, identity.BadHeader, identity.BadTime, identity.BadSignature, identity.BadCert,
		identity.Binding, identity.WrongNetwork, identity.Denied, identity.Revoked, identity.NotFound, identity.Superseded,
		identity.Gone, identity.Busy, identity.Unavailable, identity.Stale, identity.Rollback, identity.Equivocation, identity.Incomplete,
	}
}
