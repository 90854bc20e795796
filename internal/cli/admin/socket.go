// Package admin is the door by which commands reach a running server: a Unix
// socket in the server's folder that carries JSON over HTTP, open to the
// server's own user and to root (docs/cli.md, "Admin socket").
package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/neurons-me/netget/internal/cli"
)

// A socket accepts connections at a path.
type socket struct {
	*net.UnixListener

	path string
	made os.FileInfo // the file that listen put at path
	once sync.Once
}

// listen makes the socket at path with mode 0600. It replaces a file that is a
// socket at which nobody listens, and refuses to touch anything else.
func listen(path string) (*socket, error) {
	if err := checkFree(path); err != nil {
		return nil, err
	}
	// Bound under another name and renamed, so that nobody sees it with the
	// mode that the umask left.
	temporary := filepath.Join(filepath.Dir(path), ".admin-"+rand.Text()[:8])
	listener, err := bind(temporary)
	if err != nil {
		return nil, fmt.Errorf("opening the admin socket %s: %w", path, err)
	}
	listener.SetUnlinkOnClose(false) // the name it knows is gone
	s := &socket{UnixListener: listener, path: path}
	if err := s.publish(temporary); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the admin socket: %w", err), listener.Close(), os.Remove(temporary))
	}
	return s, nil
}

func (s *socket) publish(temporary string) error {
	if err := os.Chmod(temporary, 0o600); err != nil {
		return err
	}
	made, err := os.Lstat(temporary)
	if err != nil {
		return err
	}
	s.made = made
	return os.Rename(temporary, s.path)
}

func checkFree(path string) error {
	file, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for an admin socket: %w", err)
	}
	if file.Mode().Type() != fs.ModeSocket {
		return cli.Hint(cli.Fail(cli.ExitFailure, "%s is not a socket", path), "move the file away")
	}
	conn, err := dial(path)
	if err == nil {
		return errors.Join(inUse(path), conn.Close())
	}
	if !isNobody(err) {
		return fmt.Errorf("asking who listens at %s: %w", path, err)
	}
	return nil
}

func inUse(path string) error {
	return cli.Hint(cli.Fail(cli.ExitFailure, "another server listens at %s", path), "stop that server, or give this one another --home")
}

func bind(path string) (*net.UnixListener, error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	return listener, errors.Join(err, release())
}

func dial(path string) (net.Conn, error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return conn, release()
}

// Close stops listening and removes the file, if it is still ours.
func (s *socket) Close() error {
	var err error
	s.once.Do(func() {
		err = s.UnixListener.Close()
		if now, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(now, s.made) {
			err = errors.Join(err, os.Remove(s.path))
		}
	})
	return err
}
