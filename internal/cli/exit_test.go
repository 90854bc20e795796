package cli_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// problem stands for the error type of another package that a server's
// problem document becomes.
type problem struct {
	code   identity.Code
	status int
}

func (p *problem) Error() string   { return fmt.Sprintf("server: %s", p.code) }
func (p *problem) HTTPStatus() int { return p.status }
func (p *problem) Unwrap() error   { return identity.Refuse(p.code, "said so") }

func TestExitOfClasses(t *testing.T) {
	for _, row := range []struct {
		code            identity.Code
		received, found int
	}{
		{identity.Limits, 1, 6},
		{identity.Malformed, 1, 6},
		{identity.BadHeader, 1, 6},
		{identity.BadTime, 1, 6},
		{identity.BadSignature, 1, 6},
		{identity.Superseded, 1, 6},
		{identity.BadCert, 4, 6},
		{identity.Binding, 4, 6},
		{identity.WrongNetwork, 4, 6},
		{identity.Denied, 4, 6},
		{identity.Revoked, 4, 6},
		{identity.NotFound, 3, 3},
		{identity.Gone, 3, 3},
		{identity.Busy, 5, 5},
		{identity.Unavailable, 5, 5},
		{identity.Stale, 1, 6},
		{identity.Rollback, 1, 6},
		{identity.Equivocation, 1, 6},
		{identity.Incomplete, 1, 6},
	} {
		found := fmt.Errorf("asking: %w", identity.Refuse(row.code, "no"))
		check(t, string(row.code)+" that we found", found, row.found)
		check(t, string(row.code)+" that a server sent", fmt.Errorf("asking: %w", cli.FromServer(found)), row.received)
		check(t, string(row.code)+" as a RemoteError", &cli.RemoteError{Code: row.code}, row.received)
		check(t, string(row.code)+" of another package", fmt.Errorf("asking: %w", &problem{row.code, 400}), row.received)
		if got := cli.Explain(found).Code; got != string(row.code) {
			t.Errorf("%s: Explain gives code %q", row.code, got)
		}
	}
}

func check(t *testing.T, name string, err error, want int) {
	t.Helper()
	report := cli.Explain(err)
	if report.Exit != want || cli.Exit(err) != want {
		t.Errorf("%s: exit %d, want %d", name, report.Exit, want)
	}
	if report.Hint == "" || report.Code == "" || report.Message == "" {
		t.Errorf("%s: members are missing: %+v", name, report)
	}
	if strings.Contains(report.Message+report.Hint, "\n") {
		t.Errorf("%s: more than one line: %+v", name, report)
	}
}

func TestExit(t *testing.T) {
	refusal := identity.Refuse(identity.Rollback, "older than known")
	wrap := func(op string, err error) error {
		return &url.Error{Op: "Get", URL: "https://x", Err: &net.OpError{Op: op, Net: "tcp", Err: err}}
	}
	for name, row := range map[string]struct {
		err  error
		want int
	}{
		"an unknown error is a failure":                  {errors.New("disk on fire"), 1},
		"a port in use is a failure":                     {&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}, 1},
		"a full disk is a failure":                       {&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, 1},
		"a forbidden file is a failure":                  {&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, 1},
		"usage":                                          {cli.Usage("bad flag"), 2},
		"usage whatever class it wraps":                  {cli.Usage("token: %w", refusal), 2},
		"no identity is usage":                           {fmt.Errorf("x: %w", identity.ErrNoIdentity), 2},
		"a wrong file mode is usage":                     {fmt.Errorf("x: %w", identity.ErrFileMode), 2},
		"a path that is no file is usage":                {fmt.Errorf("x: %w", identity.ErrNotRegular), 2},
		"an identity that exists is usage":               {fmt.Errorf("x: %w", identity.ErrIdentityExists), 2},
		"a hint leaves usage alone":                      {cli.Hint(cli.Usage("bad"), "do this"), 2},
		"a hint leaves a class alone":                    {cli.Hint(refusal, "do this"), 6},
		"a hint inside what a server said":               {cli.FromServer(cli.Hint(identity.Refuse(identity.Denied, "no"), "ask")), 4},
		"an exit code of its own wins":                   {cli.Fail(3, "no active node: %w", refusal), 3},
		"connection refused":                             {wrap("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED)), 5},
		"connection reset":                               {syscall.ECONNRESET, 5},
		"time-out of a request":                          {fmt.Errorf("asking: %w", context.DeadlineExceeded), 5},
		"time-out of a connection":                       {os.ErrDeadlineExceeded, 5},
		"unknown host":                                   {wrap("dial", &net.DNSError{Err: "no such host", IsNotFound: true}), 5},
		"an answer that breaks off":                      {&url.Error{Op: "Get", URL: "https://x", Err: io.EOF}, 5},
		"a handshake that breaks off":                    {fmt.Errorf("https://x: %w", io.EOF), 5},
		"a server that speaks no TLS":                    {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, 5},
		"our verification inside a network error":        {wrap("read", refusal), 6},
		"a chain to another root":                        {&url.Error{Op: "Get", Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, 6},
		"a chain without the wanted name":                {x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, 6},
		"a cancelled context":                            {fmt.Errorf("asking: %w", context.Canceled), 130},
		"429 without a class":                            {&cli.RemoteError{Status: 429}, 5},
		"503 without a class":                            {&cli.RemoteError{Status: 503}, 5},
		"404 without a class":                            {&cli.RemoteError{Status: 404}, 3},
		"403 without a class":                            {&cli.RemoteError{Status: 403}, 4},
		"421, a host of another network":                 {&cli.RemoteError{Status: 421}, 4},
		"500 without a class":                            {&cli.RemoteError{Status: 500}, 1},
		"a token that the authority calls malformed":     {cli.TokenRefused(&problem{identity.Malformed, 400}), 4},
		"a token that the authority calls late":          {cli.TokenRefused(&problem{identity.BadTime, 400}), 4},
		"a token for a busy authority":                   {cli.TokenRefused(&problem{identity.Busy, 429}), 5},
		"an authority that we do not trust":              {cli.TokenRefused(identity.Refuse(identity.BadCert, "other root")), 6},
		"an authority that is not there":                 {cli.TokenRefused(syscall.ECONNREFUSED), 5},
		"untrusted weighs more than unavailable":         {errors.Join(syscall.ECONNREFUSED, refusal), 6},
		"untrusted weighs more than denied":              {errors.Join(&cli.RemoteError{Code: identity.Denied}, refusal), 6},
		"unavailable weighs more than an unknown error":  {errors.Join(errors.New("two of them"), syscall.ECONNREFUSED), 5},
		"what all of several errors are":                 {fmt.Errorf("%w; %w", syscall.ECONNREFUSED, context.DeadlineExceeded), 5},
		"the code of a command that was run for someone": {cli.StatusError(143), 143},
	} {
		check(t, name, row.err, row.want)
	}
	if got := cli.Exit(nil); got != 0 {
		t.Errorf("Exit(nil) = %d", got)
	}
}

func TestExitOfTLSAlert(t *testing.T) {
	err := handshake(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }})
	report := cli.Explain(&url.Error{Op: "Get", URL: "https://x", Err: err})
	if report.Exit != 4 || report.Code != "network" {
		t.Errorf("unrecognized_name: %+v, want exit 4 with class network", report)
	}
}

// handshake returns the client's error of a handshake with a server of the
// given configuration.
func handshake(t *testing.T, config *tls.Config) error {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := tls.NewListener(plain, config)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).HandshakeContext(t.Context())
			_ = conn.Close()
		}
	}()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: "registry.example.org"}}
	conn, err := dialer.DialContext(t.Context(), "tcp", plain.Addr().String())
	if err == nil {
		t.Fatal("handshake succeeded", conn.Close())
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	return err
}

func TestReportIsSafeForTerminals(t *testing.T) {
	report := cli.Explain(&cli.RemoteError{Code: identity.Denied, Message: "go\x1b[2Jaway\nnow\u202e"})
	if want := "go\ufffd[2Jaway; now\ufffd"; report.Message != want {
		t.Errorf("message %q, want %q", report.Message, want)
	}
}

func TestErrOfReport(t *testing.T) {
	want := cli.Explain(cli.Hint(cli.FromServer(identity.Refuse(identity.Denied, "no")), "ask"))
	if got := cli.Explain(want.Err()); got != want {
		t.Errorf("after the way through a report: %+v, want %+v", got, want)
	}
}
