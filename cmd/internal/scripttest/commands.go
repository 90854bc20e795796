package scripttest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits runs a command and wants its exit code to be exactly this.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "exits CODE COMMAND…")
	want := number(ts, args[0])
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCode(ts, err); got != want {
		ts.Fatalf("%s: exit code %d, want %d", args[1], got, want)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		ts.Fatalf("running the command: %v", err)
	}
	return exit.ExitCode()
}

// reported wants the last standard error to be one error as people see it.
func reported(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "error MESSAGE HINT")
	lines := regexp.MustCompile(`^error: (.+)\nhint: (.+)\n$`).FindStringSubmatch(ts.ReadFile("stderr"))
	if lines == nil {
		ts.Fatalf("standard error is not exactly the two lines error: and hint:")
	}
	for i, pattern := range args {
		if !expression(ts, pattern).MatchString(lines[i+1]) {
			ts.Fatalf("%q does not match %q", lines[i+1], pattern)
		}
	}
}

// get asks an operations port.
func get(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "get URL STATUS")
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(contextOf(ts), http.MethodGet, args[0], http.NoBody)
	ts.Check(err)
	response, err := client.Do(request)
	ts.Check(err)
	body, err := io.ReadAll(response.Body)
	ts.Check(errors.Join(err, response.Body.Close()))
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if want := number(ts, args[1]); response.StatusCode != want {
		ts.Fatalf("GET %s: status %d, want %d: %s", args[0], response.StatusCode, want, body)
	}
}

// mode wants the permissions of a file to be exactly these.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "mode FILE MODE")
	file, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", file.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// occupy takes a port until the script ends.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "occupy NAME")
	listener, err := (&net.ListenConfig{}).Listen(contextOf(ts), "tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}

// connect holds a TLS connection, once the server has taken it, until the
// script ends.
func connect(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "connect ADDRESS NAME")
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName: args[1], MinVersion: tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // nothing is said over it
	}}
	ctx, cancel := context.WithTimeout(contextOf(ts), patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close() })
}

// patience is how long a command waits for something that must happen.
const patience = time.Minute

// contextOf returns the context of the test that runs the script.
func contextOf(ts *testscript.TestScript) context.Context {
	ctx, ok := ts.Value(contextKey{}).(context.Context)
	if !ok {
		ts.Fatalf("the script was not set up by Run")
	}
	return ctx
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func expression(ts *testscript.TestScript, pattern string) *regexp.Regexp {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	return re
}
