package vectors_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
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
			before, err := judge.WriteMarks(path, v)
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, v, path, serve(t, v, path))
			err = ask(t, c)
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
				if err := judge.Marks(v, after); err != nil {
					t.Error(err)
				}
			}
		})
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

func newClient(t *testing.T, v vectors.Answer, marks, address string) *discovery.Client {
	t.Helper()
	i, err := judge.Reader(v, address)
	if err != nil {
		t.Fatal(err)
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

// serve starts the registry of a vector.
func serve(t *testing.T, v vectors.Answer, marks string) (address string) {
	t.Helper()
	l, err := judge.NewLiar(t.Context(), v, marks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.URL()
}
