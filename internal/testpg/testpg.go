// Package testpg starts throw-away PostgreSQL servers for tests.
//
// A server listens on a Unix socket in a short temporary folder and on no
// port. It is stopped, and its folder removed, when the test binary ends,
// however that happens. It does not sync to disk: it survives everything but
// the end of the machine.
package testpg

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Require is the environment variable that names, separated by commas, what a
// test may not do without: with "postgres" among them it fails where it would
// be skipped because there is no PostgreSQL.
const Require = "NETGET_TEST_REQUIRE"

// commandLimit bounds every program that is run here.
const commandLimit = 2 * time.Minute

// The one server that [URL] shares among the tests of a binary; starting one
// takes about two seconds.
var shared = sync.OnceValues(start)

// URL returns the store URL of a new, empty database, which is dropped when the
// test ends. The test is skipped if this machine has no PostgreSQL.
func URL(tb testing.TB) string {
	tb.Helper()
	need(tb)
	s, err := shared()
	if err != nil {
		tb.Fatalf("starting PostgreSQL: %v", err)
	}
	return s.URL(tb)
}

// New starts a server for this test alone, to be stopped and started again. The
// test is skipped if this machine has no PostgreSQL.
func New(tb testing.TB) *Server {
	tb.Helper()
	need(tb)
	s, err := start()
	if err != nil {
		tb.Fatalf("starting PostgreSQL: %v", err)
	}
	tb.Cleanup(s.release)
	return s
}

// need skips the test where there is no PostgreSQL.
func need(tb testing.TB) {
	tb.Helper()
	_, err := findBinaries()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv(Require), ","), "postgres"):
		tb.Fatalf("%s names postgres, but %v", Require, err)
	default:
		tb.Skipf("needs PostgreSQL: %v", err)
	}
}

// URL returns the store URL of a new, empty database of s, which is dropped
// when the test ends if the server runs then.
func (s *Server) URL(tb testing.TB) string {
	tb.Helper()
	name := "t" + strings.ToLower(rand.Text())
	if err := s.command("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		tb.Fatalf("creating a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.command("DROP DATABASE " + name + " WITH (FORCE)"); err != nil && s.running() {
			tb.Errorf("dropping a database: %v", err)
		}
	})
	u := url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: url.Values{"host": {s.folder}, "user": {superuser}}.Encode()}
	return u.String()
}

// Stop stops the server at once, as a crash would.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.control("stop", "-m", "immediate"); err != nil {
		tb.Fatalf("stopping PostgreSQL: %v", err)
	}
}

// Start starts a server that was stopped, with its databases.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.control("start"); err != nil {
		tb.Fatalf("starting PostgreSQL again: %v", err)
	}
}

// command runs one statement outside of any transaction.
func (s *Server) command(sql string) error {
	return s.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", s.folder, "-U", superuser, "-d", "postgres", "-c", sql)
}

func (s *Server) control(action string, args ...string) error {
	return s.run("pg_ctl", append([]string{action, "-D", s.data(), "-l", s.log(), "-s", "-w"}, args...)...)
}

func (s *Server) running() bool { return s.run("pg_ctl", "status", "-D", s.data()) == nil }

func (s *Server) run(program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := s.programs.command(ctx, program, args...)
	cmd.Dir = s.folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}
