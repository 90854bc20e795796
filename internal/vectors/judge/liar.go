package judge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

// Reader returns who reads the message of a vector, with what it knows, when
// its registries are all at one address.
func Reader(v vectors.Answer, address string) (*identity.Identity, error) {
	b, err := identity.ParseBundle(v.Bundle)
	if err != nil {
		return nil, err
	}
	ca := forge.Authority()
	i := ca.Identity(ca.ID("client", "carl"))
	i.Bundle = b
	for _, r := range v.Registries {
		i.Document.Registries = append(i.Document.Registries, identity.KnownRegistry{Registry: r, Addresses: []string{address}})
	}
	return i, nil
}

// WriteMarks writes the marks of a vector's reader to a file and returns what
// it has written.
func WriteMarks(path string, v vectors.Answer) ([]byte, error) {
	registries, nodes := map[identity.NodeID]*identity.RegistryMark{}, v.Nodes
	if v.Mark != nil {
		registries[Registry(v)] = v.Mark
	}
	if nodes == nil {
		nodes = map[identity.NodeID]discovery.NodeMark{}
	}
	text, err := json.Marshal(map[string]any{"registries": registries, "nodes": nodes, "crls": map[string]any{}})
	if err != nil {
		return nil, fmt.Errorf("encoding marks: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing marks: %w", err)
	}
	return text, nil
}

// Registry returns who answers: in every scene r1, unless the vector says
// otherwise.
func Registry(v vectors.Answer) identity.NodeID {
	if v.Peer != nil {
		return *v.Peer
	}
	return forge.Authority().ID("registry", "r1")
}

// A Liar is the registry of one vector: it sends the vector's message whatever
// is asked, over TLS on loopback, as the registry that the vector names.
type Liar struct {
	v      vectors.Answer
	marks  string
	addr   string
	server *http.Server
	ended  chan error
}

// NewLiar starts the registry of a vector, of which the reader's marks are in a
// file. Where the mark moves, it does so while a request is under way.
func NewLiar(ctx context.Context, v vectors.Answer, marks string) (*Liar, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a port: %w", err)
	}
	cred := forge.Authority().Issue(Registry(v))
	tenant := &identity.Tenant{Credential: cred.TLS, Verify: func(tls.ConnectionState) error { return nil }}
	l := &Liar{v: v, marks: marks, addr: listener.Addr().String(), ended: make(chan error, 1)}
	l.server = &http.Server{
		Handler: l, TLSConfig: identity.ServerTLS(func(string) *identity.Tenant { return tenant }),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute,
	}
	go func() { l.ended <- l.server.ServeTLS(listener, "", "") }()
	return l, nil
}

// URL returns where the liar is.
func (l *Liar) URL() string { return "https://" + l.addr }

// Close ends the liar.
func (l *Liar) Close() error {
	err := l.server.Close()
	if ended := <-l.ended; !errors.Is(ended, http.ErrServerClosed) {
		return errors.Join(err, ended)
	}
	return err
}

// ServeHTTP sends the message, or the proof that links two marks.
func (l *Liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/bundle":
		http.NotFound(w, r)
		return
	case r.URL.Path == "/v1/proof" && l.v.Moved != nil:
		_ = json.NewEncoder(w).Encode(map[string]any{"proof": l.v.Moved.Proof}) // the reader may be gone
		return
	case l.v.Moved != nil:
		moved := l.v
		moved.Mark = &l.v.Moved.Mark
		if _, err := WriteMarks(l.marks, moved); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	body := []byte(l.v.Doc)
	w.Header().Set("Content-Type", discovery.AnswerType)
	if l.v.Gzip != nil {
		w.Header().Set("Content-Encoding", "gzip")
		body = l.v.Gzip
	}
	_, _ = w.Write(body) // the reader may have had enough
}
