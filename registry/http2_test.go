package registry_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

func TestHTTP2(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	client := as(t, s, w.ca.TD.RegistryName(), nil)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: identity.ClientTLS(w.ca.Source(w.ca.ID("client", "laptop")), time.Now)}
	t.Cleanup(transport.CloseIdleConnections)
	client.Transport = transport
	for name, row := range map[string]struct {
		method, path string
		body         int // bytes
		status       int
	}{
		"a question":           {http.MethodGet, "/v1/head", 0, http.StatusOK},
		"a body of 10 MB":      {http.MethodPost, "/v1/records", 10 << 20, http.StatusRequestEntityTooLarge},
		"a body of no kind":    {http.MethodPost, "/v1/records", 10, http.StatusBadRequest},
		"an absent service":    {http.MethodGet, "/v1/services/x", 0, http.StatusOK},
		"what is not there":    {http.MethodGet, "/v1/nothing", 0, http.StatusNotFound},
		"what may not be done": {http.MethodPut, "/v1/head", 0, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), row.method, "https://"+s.addr+row.path, strings.NewReader(strings.Repeat("a", row.body)))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if r := read(t, res); res.ProtoMajor != 2 || r.status != row.status {
				t.Errorf("got status %d by %s, want %d", r.status, res.Proto, row.status)
			}
		})
	}
}
