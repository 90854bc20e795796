package vectors_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

// TestClient serves every answer to a client over TLS: it must come to the
// same verdict, and its file of marks must not change where that is a refusal.
func TestClient(t *testing.T) {
	f, err := vectors.Read[vectors.Answer](folder, vectors.AnswersFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range f.Vectors {
		ask := questionOf(v)
		if ask == nil {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "marks.json")
			before := writeMarks(t, path, v)
			c := newClient(t, v, path, serve(t, v, path))
			err := ask(t, c)
			if got := identity.CodeOf(err); got != v.Class || (err != nil) != (v.Class != "") {
				t.Errorf("got class %q (%v), want %q", got, err, v.Class)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if v.Class != "" && v.Moved == nil && !bytes.Equal(after, before) {
				t.Errorf("a refused answer changed the marks from\n%s to\n%s", before, after)
			}
			if v.Class == "" {
				checkMarks(t, after, v)
			}
		})
	}
}

// checkMarks compares the file of marks with what a good answer leaves there.
func checkMarks(t *testing.T, text []byte, v vectors.Answer) {
	t.Helper()
	var got struct {
		Registries map[identity.NodeID]identity.RegistryMark
		Nodes      map[identity.NodeID]discovery.NodeMark
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want(t, v.Want.Mark, got.Registries[registryOf(v)])
	if v.Want.Marks != nil {
		want(t, v.Want.Marks, got.Nodes)
	}
}

// questionOf returns how a client asks for what the vector is; nil for what is
// not the answer to a question, and for answers that must be asked for again.
func questionOf(v vectors.Answer) func(*testing.T, *discovery.Client) error {
	if v.Moved != nil && v.Class == "" {
		return nil
	}
	switch v.Kind {
	case vectors.AnswerKind:
		return func(t *testing.T, c *discovery.Client) error {
			t.Helper()
			_, err := c.Discover(t.Context(), v.Service)
			return err
		}
	case vectors.NodeKind:
		return func(t *testing.T, c *discovery.Client) error {
			t.Helper()
			_, err := c.Node(t.Context(), *v.Node)
			return err
		}
	case vectors.ServicesKind:
		return func(t *testing.T, c *discovery.Client) error {
			t.Helper()
			_, _, err := c.Services(t.Context())
			return err
		}
	case vectors.HeadKind:
		return func(t *testing.T, c *discovery.Client) error {
			t.Helper()
			_, _, err := c.Heads(t.Context())
			return err
		}
	case vectors.RefreshKind, vectors.ReceiptKind, vectors.TombstoneReceiptKind:
	}
	return nil
}

func writeMarks(t *testing.T, path string, v vectors.Answer) []byte {
	t.Helper()
	registries, nodes := map[identity.NodeID]*identity.RegistryMark{}, v.Nodes
	if v.Mark != nil {
		registries[registryOf(v)] = v.Mark
	}
	if nodes == nil {
		nodes = map[identity.NodeID]discovery.NodeMark{}
	}
	text, err := json.Marshal(map[string]any{"registries": registries, "nodes": nodes, "crls": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

// registryOf returns who answers: in every scene r1, unless the vector says
// otherwise.
func registryOf(v vectors.Answer) identity.NodeID {
	if v.Peer != nil {
		return *v.Peer
	}
	return forge.Authority().ID("registry", "r1")
}

func newClient(t *testing.T, v vectors.Answer, marks, address string) *discovery.Client {
	t.Helper()
	ca := forge.Authority()
	i := ca.Identity(ca.ID("client", "carl"))
	i.Bundle = bundleOf(t, v.Bundle)
	for _, r := range v.Registries {
		i.Document.Registries = append(i.Document.Registries, identity.KnownRegistry{Registry: r, Addresses: []string{address}})
	}
	src, err := identity.NewMemorySource(i)
	if err != nil {
		t.Fatal(err)
	}
	m, err := discovery.OpenMarks(marks)
	if err != nil {
		t.Fatal(err)
	}
	c, err := discovery.NewClient(discovery.Config{
		Source: src, Marks: m, Addresses: []string{address}, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return at(v.Now) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve serves the vector's message whatever is asked, and its proof. Where the
// mark moves, it does so while the request is under way.
func serve(t *testing.T, v vectors.Answer, marks string) (address string) {
	t.Helper()
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/bundle":
			http.NotFound(w, r)
			return
		case r.URL.Path == "/v1/proof" && v.Moved != nil:
			_ = json.NewEncoder(w).Encode(map[string]any{"proof": v.Moved.Proof})
			return
		case v.Moved != nil:
			moved := v
			moved.Mark = &v.Moved.Mark
			writeMarks(t, marks, moved)
		}
		w.Header().Set("Content-Type", discovery.AnswerType)
		if v.Gzip != nil {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(v.Gzip)
			return
		}
		_, _ = w.Write([]byte(v.Doc))
	}
	ca := forge.Authority()
	cred := ca.Issue(registryOf(v))
	tenant := &identity.Tenant{Credential: cred.TLS, Verify: func(tls.ConnectionState) error { return nil }}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(handler), TLSConfig: identity.ServerTLS(func(string) *identity.Tenant { return tenant }),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "https://" + listener.Addr().String()
}
