package identity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/neurons-me/netget/identity"
)

func TestErrorClasses(t *testing.T) {
	cause := errors.New("the cause")
	err := fmt.Errorf("reading: %w", identity.Refuse(identity.BadTime, "too late: %w", cause))
	if identity.CodeOf(err) != identity.BadTime || !errors.Is(err, cause) || err.Error() != "reading: time: too late: the cause" {
		t.Errorf("got %v of class %q", err, identity.CodeOf(err))
	}
	if identity.CodeOf(cause) != "" || identity.CodeOf(nil) != "" {
		t.Error("an error without class has one")
	}
	// The status of each class as docs/protocol.md lists them.
	for code, want := range map[identity.Code]int{
		identity.Limits: 400, identity.Malformed: 400, identity.BadHeader: 400, identity.BadTime: 400, identity.BadSignature: 401, identity.BadCert: 401,
		identity.Binding: 403, identity.WrongNetwork: 403, identity.Denied: 403, identity.Revoked: 403, identity.NotFound: 404, identity.Superseded: 409,
		identity.Gone: 410, identity.Busy: 429, identity.Unavailable: 503, identity.Stale: 503, identity.Rollback: 503, identity.Equivocation: 503, identity.Incomplete: 503, "x": 500,
	} {
		p := identity.NewProblem(code)
		if code.Status() != want || p.Status != want || p.Code != code || p.Detail == "" || p.Title != http.StatusText(want) {
			t.Errorf("%s: got %+v, want %d", code, p, want)
		}
	}
}

func TestParseProblem(t *testing.T) {
	text, err := json.Marshal(identity.NewProblem(identity.Denied))
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name   string
		status int
		retry  string
		body   string
		code   identity.Code
		after  time.Duration
	}{
		{"a problem document", 403, "", string(text), identity.Denied, 0},
		{"a document with the class of another status", 400, "", `{"code":"limits"}`, identity.Limits, 0},
		{"an unknown class", 403, "", `{"code":"whatever"}`, identity.Denied, 0},
		{"a class in a member of another case", 403, "", `{"Code":"limits"}`, identity.Denied, 0},
		{"two classes", 403, "", `{"code":"limits","code":"time"}`, identity.Denied, 0},
		{"no document", 503, "7", "<html>", identity.Unavailable, 7 * time.Second},
		{"too many requests", 429, "1", "", identity.Busy, time.Second},
		{"a long wait", 429, "999999", "", identity.Busy, time.Hour},
		{"a wait that is no number", 429, "soon", "", identity.Busy, 0},
		{"a negative wait", 429, "-5", "", identity.Busy, 0},
		{"not found", 404, "", "", identity.NotFound, 0},
		{"another method", 405, "", "", identity.NotFound, 0},
		{"another network", 421, "", "", identity.Denied, 0},
		{"too large", 413, "", "", identity.Limits, 0},
		{"headers too large", 431, "", "", identity.Limits, 0},
		{"gone", 410, "", "", identity.Gone, 0},
		{"a conflict", 409, "", "", identity.Superseded, 0},
		{"unauthorized", 401, "", "", identity.BadCert, 0},
		{"teapot", 418, "", "", identity.Malformed, 0},
		{"a failure", 500, "", "", identity.Unavailable, 0},
	}
	for _, row := range rows {
		header := http.Header{}
		header.Set("Retry-After", row.retry)
		got := identity.ParseProblem(row.status, header, []byte(row.body))
		if got.Code != row.code || got.Status != row.status || got.HTTPStatus() != row.status || got.RetryAfter != row.after || identity.CodeOf(got) != row.code || got.Error() == "" {
			t.Errorf("%s: got %+v", row.name, got)
		}
	}
}

// What a server says is shown on terminals: it must not move the cursor, forge
// a line of a log, or fill the screen.
func TestProblemKeepsControlCharactersFromTheTerminal(t *testing.T) {
	for _, detail := range []string{"\u001b[2Jgone", "one\nlevel=ERROR", "\u009b2J", "\u202e", strings.Repeat("ä", 1000)} {
		body, err := json.Marshal(identity.Problem{Code: identity.Busy, Detail: detail})
		if err != nil {
			t.Fatal(err)
		}
		text := identity.ParseProblem(429, nil, body).Error()
		if len(text) > 800 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) {
			t.Errorf("shown as %q", text)
		}
	}
}
