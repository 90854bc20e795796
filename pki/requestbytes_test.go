package pki_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// A request is DER in standard padded base64 and in nothing like it. What is
// refused for its form does not use up the token.
func TestRequestsInOtherBase64AreMalformed(t *testing.T) {
	w := newWorld(t, "development")
	c, token := w.caller(t, "development"), w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"}).Token
	good := base64.StdEncoding.EncodeToString(plainCSR(t))
	enroll := func(csr string) reply {
		t.Helper()
		body := fmt.Sprintf(`{"token":%q,"csr":%s}`, token, csr)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/v1/enroll", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply{res.StatusCode, res.Header, text}
	}
	for name, csr := range map[string]string{
		"LF":            `"` + good[:64] + `\n` + good[64:] + `"`,
		"CR":            `"` + good[:64] + `\r` + good[64:] + `"`,
		"LF at the end": `"` + good + `\n"`,
		"LF by number":  `"` + good[:64] + `\u000a` + good[64:] + `"`,
		"a space":       `"` + good[:64] + ` ` + good[64:] + `"`,
		"numbers":       `[48,130]`,
		"null":          `null`,
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, enroll(csr), http.StatusBadRequest, identity.Malformed) })
	}
	if got := enroll(`"` + good + `"`); got.status != http.StatusCreated {
		t.Errorf("the good form: %d %s", got.status, got.body)
	}
}
