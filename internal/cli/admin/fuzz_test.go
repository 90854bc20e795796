package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzRequest sends any body to an operation of the socket, and shows any answer
// to a client. Each side reports a failure with an exit code.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		`{"name":"you"}`, `{"name":"denied"}`, `{"name":"hinted"}`, `{"name":"usage"}`, `{"name":"broken"}`, `{"other":1}`, "", "null", "[]", `{"name":1}`,
		`{"error":{"code":"denied","exit":4,"message":"m","hint":"h"}}`, `{"error":{"exit":-1}}`, `{"error":{"code":"x","exit":300}}`, `{"hello":"x"}`,
	} {
		f.Add(200, text)
		f.Add(422, text)
	}
	f.Fuzz(func(t *testing.T, status int, text string) {
		w := httptest.NewRecorder()
		spoil.Bounded(t, len(text), 64, func() {
			operations().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hello", strings.NewReader(text)))
		})
		var got answer
		if err := admin.Decode(w.Code, w.Body.Bytes(), &got); err != nil {
			if code := cli.Exit(err); code < 1 || code > 6 || cli.Explain(err).Message == "" {
				t.Errorf("%q ends with exit code %d: %v", text, code, err)
			}
		} else if json.Unmarshal([]byte(text), new(any)) == nil && !strings.HasPrefix(got.Hello, "hello ") {
			t.Errorf("%q is answered %q", text, got.Hello)
		}
		if err := admin.Decode(status, []byte(text), &got); err != nil && cli.Exit(err) == 0 {
			t.Errorf("the answer %d %q ends with exit code 0: %v", status, text, err)
		}
	})
}
