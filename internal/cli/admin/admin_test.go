package admin_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
)

type question struct {
	Name string `json:"name"`
}

type answer struct {
	Hello string `json:"hello"`
}

// operations answers /hello and refuses in the ways of an authority.
func operations() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /hello", admin.Handle(func(_ context.Context, q question) (answer, error) {
		switch q.Name {
		case "denied":
			return answer{}, identity.Refuse(identity.Denied, "not you")
		case "hinted":
			return answer{}, cli.Hint(identity.Refuse(identity.NotFound, "no network x"), "there is: development")
		case "usage":
			return answer{}, cli.Usage("no such life")
		case "broken":
			return answer{}, errors.New("disk on fire")
		}
		return answer{"hello " + q.Name}, nil
	}))
	return mux
}

// serve runs a server at path until the test ends.
func serve(t *testing.T, path string) {
	t.Helper()
	s, err := admin.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, operations()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
}

// socketPath returns a path short enough for every system.
func socketPath(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "ng") //nolint:usetesting // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(folder, "admin.sock")
}

func TestCall(t *testing.T) {
	path := socketPath(t)
	serve(t, path)
	var got answer
	if err := admin.NewClient(path).Call(t.Context(), "/hello", question{"you"}, &got); err != nil {
		t.Fatal(err)
	}
	if want := (answer{"hello you"}); got != want {
		t.Errorf("answer %+v, want %+v", got, want)
	}
	if err := admin.NewClient(path).Call(t.Context(), "/hello", question{"you"}, nil); err != nil {
		t.Errorf("without out: %v", err)
	}
}

func TestCallKeepsErrors(t *testing.T) {
	path := socketPath(t)
	serve(t, path)
	for name, row := range map[string]struct {
		in   any
		want cli.Report
	}{
		"a class counts as a server's word": {question{"denied"}, cli.Explain(cli.FromServer(identity.Refuse(identity.Denied, "not you")))},
		"a hint comes along": {question{"hinted"}, cli.Report{
			Code: "not-found", Exit: 3, Message: "not-found: no network x", Hint: "there is: development",
		}},
		"usage stays usage":          {question{"usage"}, cli.Explain(cli.Usage("no such life"))},
		"a failure stays a failure":  {question{"broken"}, cli.Explain(errors.New("disk on fire"))},
		"an unknown member is usage": {map[string]string{"label": "x"}, cli.Explain(cli.Usage(`reading the request: json: unknown field "label"`))},
	} {
		err := admin.NewClient(path).Call(t.Context(), "/hello", row.in, nil)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if diff := cmp.Diff(row.want, cli.Explain(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := admin.NewClient(path).Call(t.Context(), "/newer", question{}, nil); cli.Exit(err) == 0 || !strings.Contains(err.Error(), "404") {
		t.Errorf("an operation that the server does not know: %v", err)
	}
}

func TestSocketMode(t *testing.T) {
	path := socketPath(t)
	serve(t, path)
	file, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := file.Mode(), os.ModeSocket|0o600; got != want {
		t.Errorf("mode %v, want %v", got, want)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("files beside the socket: %v, %v", files, err)
	}
}

func TestListenBesideOthers(t *testing.T) {
	path := socketPath(t)
	serve(t, path)
	if _, err := admin.Listen(path); cli.Exit(err) != 1 {
		t.Errorf("a second server: %v, want a failure", err)
	}
	if err := admin.NewClient(path).Call(t.Context(), "/hello", question{"you"}, nil); err != nil {
		t.Errorf("the first server after that: %v", err)
	}
}

func TestListenReplacesStaleSockets(t *testing.T) {
	path := socketPath(t)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil { // as a server that was killed
		t.Fatal(err)
	}
	if err := admin.NewClient(path).Call(t.Context(), "/hello", question{}, nil); !errors.Is(err, admin.ErrNobody) {
		t.Errorf("a socket of nobody: %v, want ErrNobody", err)
	}
	serve(t, path)
	if err := admin.NewClient(path).Call(t.Context(), "/hello", question{"you"}, nil); err != nil {
		t.Error(err)
	}
}

func TestListenLeavesFilesAlone(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(path); cli.Exit(err) != 1 {
		t.Errorf("over a file: %v, want a failure", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

func TestCloseLeavesAnothersSocketAlone(t *testing.T) {
	path := socketPath(t)
	s, err := admin.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	serve(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the other server's socket: %v", err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := admin.Serve(ctx, socketPath(t), operations()); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestCallWhenCut(t *testing.T) {
	path := socketPath(t)
	serve(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := admin.NewClient(path).Call(ctx, "/hello", question{}, nil); cli.Exit(err) != 130 {
		t.Errorf("Call: %v, want exit 130", err)
	}
}

func TestEither(t *testing.T) {
	path := socketPath(t)
	which := func() string {
		var got string
		err := admin.Either(path,
			func(c *admin.Client) error {
				got = "remote"
				return c.Call(t.Context(), "/hello", question{"you"}, nil)
			},
			func() error { got = "local"; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := which(); got != "local" {
		t.Errorf("without a server: %s", got)
	}
	serve(t, path)
	if got := which(); got != "remote" {
		t.Errorf("beside a server: %s", got)
	}
	err := admin.Either(socketPath(t), func(*admin.Client) error { return admin.ErrNobody },
		func() error { return identity.Refuse(identity.Denied, "no") })
	if cli.Exit(err) != 4 {
		t.Errorf("a class of the local store: exit %d, want 4 as of a server", cli.Exit(err))
	}
}
