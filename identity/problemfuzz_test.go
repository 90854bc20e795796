package identity_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzProblem reads what a server answers instead of a success. Whatever that
// is, there is a class, a text that can be shown, and a bounded wait.
func FuzzProblem(f *testing.F) {
	for status := 300; status < 600; status++ {
		f.Add(status, "", []byte(nil))
	}
	for _, code := range []identity.Code{identity.Limits, identity.Superseded, identity.Unavailable, identity.Incomplete, "own"} {
		p := identity.NewProblem(code)
		p.Current, p.Certificate, p.Issuer = "a.b.c", []byte{1}, []byte{2}
		p.Head, p.Registry = "d.e.f", [][]byte{{3}, {4}}
		doc, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code.Status(), "30", doc)
	}
	f.Add(503, "1e3", []byte(`{"code":"unavailable","detail":"\u001b[2J\n"}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		p := identity.ParseProblem(status, http.Header{"Retry-After": {after}}, body)
		if p.HTTPStatus() != status || p.RetryAfter < 0 || p.RetryAfter > time.Hour {
			t.Errorf("status %d, wait %s", p.HTTPStatus(), p.RetryAfter)
		}
		spoil.Refused(t, p)
	})
}
