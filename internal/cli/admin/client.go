package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"github.com/neurons-me/netget/internal/cli"
)

const maxResponseBytes = 64 << 20

// ErrNobody is the error of [Client.Call] when no server listens at the socket.
var ErrNobody = errors.New("no server listens at the admin socket")

// A Client calls the operations of a running server.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the socket at path. It does no I/O.
func NewClient(path string) *Client {
	transport := &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial(path) },
		DisableKeepAlives: true,
	}
	return &Client{path, &http.Client{Transport: transport}}
}

// Call posts in to the operation at route ("/v1/tokens") and decodes the
// answer into out, which may be nil. An error of the operation comes back with
// class, exit code and hint. It returns [ErrNobody], and nothing was done, if
// no server listens.
func (c *Client) Call(ctx context.Context, route string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding the request to the server: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin"+route, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making the request to the server: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return c.explain(ctx, err)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return decode(response.StatusCode, text, out)
}

// explain says why there was no answer.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("asking the running server: %w", ctx.Err())
	case isNobody(err):
		return ErrNobody
	case errors.Is(err, fs.ErrPermission):
		return stranger() // the mode of the socket or of its folder says so
	}
	return fmt.Errorf("asking the server at %s: %w", c.path, err)
}

// isNobody reports whether a dial failed because there is no socket, or one
// at which nobody listens.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func decode(status int, text []byte, out any) error {
	if status != http.StatusOK {
		var f failure
		if err := json.Unmarshal(text, &f); err != nil || f.Error.Exit == 0 {
			return &cli.RemoteError{Status: status, Message: fmt.Sprintf("the running server answered %d: is it of another version?", status)}
		}
		return f.Error.Err()
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("decoding the running server's answer: %w", err)
	}
	return nil
}

// Either calls remote with a client of the running server, or local when no
// server listens at path. Local opens the store itself; the store's lock
// settles the race with a server that starts meanwhile. Remote must return
// [ErrNobody] as it got it, and only if its first call did: then local runs.
func Either(path string, remote func(*Client) error, local func() error) error {
	err := remote(NewClient(path))
	if errors.Is(err, ErrNobody) {
		return cli.FromServer(local())
	}
	return err
}
