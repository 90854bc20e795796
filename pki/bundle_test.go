package pki_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// Many ask for the bundle: it is made once, until what is in it has changed, and
// for a second at most.
func TestBundleIsEncodedOnce(t *testing.T) {
	w := newWorld(t, "development")
	last := []byte("none")
	ask := func() (text []byte, same bool) {
		t.Helper()
		text, err := pki.EncodedBundle(t.Context(), w.CA)
		if err != nil {
			t.Fatal(err)
		}
		same = &text[0] == &last[0]
		last = text
		return text, same
	}
	ask()
	if _, same := ask(); !same {
		t.Error("the bundle was made anew though nothing has changed")
	}
	w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	w.clock.Advance(time.Second - time.Nanosecond)
	if _, same := ask(); !same {
		t.Error("the bundle was made anew though nothing has changed that is in it")
	}
	r1 := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1", Addresses: []string{"https://127.0.0.1:1"}})
	text, _ := ask()
	mustContain(t, string(text), "https://127.0.0.1:1")
	if _, err := w.AddRegistry(t.Context(), "development", "r1", "https://127.0.0.1:2"); err != nil {
		t.Fatal(err)
	}
	text, _ = ask()
	mustContain(t, string(text), "https://127.0.0.1:2")
	if err := w.RemoveRegistry(t.Context(), "development", "https://127.0.0.1:2"); err != nil {
		t.Fatal(err)
	}
	if text, _ = ask(); strings.Contains(string(text), "https://127.0.0.1:2") {
		t.Errorf("a removed address is still there: %s", text)
	}
	mustContain(t, string(text), `"mark":null`)
	bundle, err := identity.NewBundle(r1.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	book := newLogbook(t, r1)
	book.grow(t, bundle, w.clock.Now())
	if got := w.caller(t, "development", r1.tls()).do(t, "POST", "/v1/heads", book.report(t, 1, 0, w.clock.Now())); got.status != http.StatusOK {
		t.Fatalf("the head: %d %s", got.status, got.body)
	}
	text, _ = ask()
	mustContain(t, string(text), `"mark":{"version":1,`)
	if _, same := ask(); !same {
		t.Error("the bundle was made anew though nothing has changed")
	}
	for _, by := range []time.Duration{time.Second, -time.Second} {
		w.clock.Advance(by)
		if _, same := ask(); same {
			t.Errorf("%s later the bundle is the old one", by)
		}
	}
	w.clock.Advance(5 * time.Minute)
	if got := w.caller(t, "development").do(t, "GET", "/v1/bundle", nil); !bytes.Contains(got.body, []byte(`"mark":null`)) {
		t.Errorf("a mark that is over is still there: %s", got.body)
	}
}
