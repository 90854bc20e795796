package testpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const superuser = "netget"

// tempFolder is where servers live: a socket's whole path has 107 bytes at
// most, and whoever runs the server must be able to reach it.
const tempFolder = "/tmp"

// keeper is the shell program that owns a server. It waits until its standard
// input ends, which is when the test binary has let go or has died, then stops
// the server and removes all of it. $1 is the folder, $2 that of the programs.
const keeper = `
trap '' INT TERM HUP
cd "$1" || exit 1
{
	"$2/initdb" -D data -U ` + superuser + ` -A trust -E UTF8 --no-locale --no-sync &&
	cat >>data/postgresql.conf settings &&
	"$2/pg_ctl" start -D data -l log -s -w
} >setup 2>&1 </dev/null && echo ready || { cat setup log; echo failed; }
exec >/dev/null 2>&1
cat
"$2/pg_ctl" stop -D data -m immediate -s -w
cd / && rm -rf "$1"
`

// settings of a server whose files nobody needs after it.
const settings = `
listen_addresses = ''
unix_socket_permissions = 0700
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
max_wal_size = 256MB
autovacuum_naptime = 1h
`

// A Server is one throw-away PostgreSQL.
type Server struct {
	programs programs
	folder   string // holds the socket, the data and the logs
	keeper   *exec.Cmd
	input    io.Closer // the keeper's standard input
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }
func (s *Server) log() string  { return filepath.Join(s.folder, "log") }

// start makes a server and waits until it takes connections.
func start() (*Server, error) {
	found, err := findBinaries()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(tempFolder, "netget-pg-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	s := &Server{programs: found, folder: folder}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := s.keep(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return s, nil
}

// prepare gives the folder to the server's user.
func (s *Server) prepare() error {
	text := settings + "unix_socket_directories = '" + s.folder + "'\n"
	if err := os.WriteFile(filepath.Join(s.folder, "settings"), []byte(text), 0o644); err != nil { //nolint:gosec // no secret, read by another user
		return fmt.Errorf("writing the settings: %w", err)
	}
	if owner := s.programs.owner; owner != nil {
		if err := os.Chown(s.folder, int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("giving the folder away: %w", err)
		}
	}
	return nil
}

// keep starts the keeper, which is bound to no context: it must outlive us, by
// the moment that it takes to clean up.
func (s *Server) keep() error {
	s.keeper = s.programs.command(context.Background(), "/bin/sh", "-c", keeper, "sh", s.folder, s.programs.folder)
	input, err := s.keeper.StdinPipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	s.input = input
	output, err := s.keeper.StdoutPipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	if err := s.keeper.Start(); err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	if report := readReport(output); report != "" {
		s.release()
		return fmt.Errorf("setting up the server: %s", report)
	}
	return nil
}

// readReport returns "" when the keeper says ready, else all it said.
func readReport(output io.Reader) string {
	var said strings.Builder
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if lines.Text() == "ready" {
			return ""
		}
		if lines.Text() == "failed" {
			break
		}
		said.WriteString(lines.Text() + "\n")
	}
	return said.String() + "the keeper ended"
}

// release lets the keeper clean up and waits for it.
func (s *Server) release() {
	_ = s.input.Close()
	_ = s.keeper.Wait() // its last command may find nothing to stop
}
