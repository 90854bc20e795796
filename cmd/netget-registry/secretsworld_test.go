package main_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.step.sm/crypto/pemutil"
)

// A secretsWorld is a home on which all three programs run as processes, with
// everything that they have said and every secret that was made.
type secretsWorld struct {
	home    string
	env     []string
	said    map[string]string // by what was run
	secrets map[string]string // what must not be said, with what it is
	runs    int
}

func newSecretsWorld(t *testing.T) *secretsWorld {
	t.Helper()
	return &secretsWorld{home: filepath.Join(t.TempDir(), "home"), said: map[string]string{}, secrets: map[string]string{}}
}

// command returns a program on the home, as verbose as it can be.
func (w *secretsWorld) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program) // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	args = slices.Insert(slices.Clone(args), end, "--home", w.home, "--log-level", "debug", "-o", "json")
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GOTRACEBACK=all"}, w.env...)
	return cmd
}

// run runs a program to its end, which must be with this code, and returns its
// standard output. What it said is kept, but for the output of token.
func (w *secretsWorld) run(t *testing.T, want int, stdin, program string, args ...string) string {
	t.Helper()
	cmd := w.command(t, program, args...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &log
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && exit.ExitCode() != want || err == nil && want != 0 {
		t.Fatalf("%s %q: %v, want code %d\n%s%s", program, args, err, want, &out, &log)
	}
	name := program + " " + args[0]
	w.keep(name+": standard error", log.String())
	if args[0] != "token" {
		w.keep(name+": standard output", out.String())
	}
	return out.String()
}

func (w *secretsWorld) keep(what, text string) {
	w.runs++
	w.said[strconv.Itoa(w.runs)+" "+what] = text
}

// token makes a join token, all parts of which are secret from then on.
func (w *secretsWorld) token(t *testing.T, args ...string) string {
	t.Helper()
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(w.run(t, 0, "", "netget-ca", append([]string{"token"}, args...)...)), &made); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(made.Token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts of a token", len(parts))
	}
	w.secrets[parts[1]], w.secrets[parts[2]] = "the claims of a join token", "the signature of a join token"
	return made.Token
}

// A speaker is a program that stays.
type speaker struct {
	cmd   *exec.Cmd
	ready map[string]any

	mu        sync.Mutex
	out, log  bytes.Buffer // guarded by mu
	reading   sync.WaitGroup
	world     *secretsWorld
	name      string
	announced chan string
}

// start starts a program that stays, and waits until it says that it is ready.
func (w *secretsWorld) start(t *testing.T, program string, args ...string) *speaker {
	t.Helper()
	s := &speaker{cmd: w.command(t, program, args...), world: w, name: program + " " + args[0], announced: make(chan string, 1)}
	for to, open := range map[*bytes.Buffer]func() (io.ReadCloser, error){&s.out: s.cmd.StdoutPipe, &s.log: s.cmd.StderrPipe} {
		from, err := open()
		if err != nil {
			t.Fatal(err)
		}
		s.reading.Go(func() { s.read(to, from) })
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	line, ok := <-s.announced
	if !ok || json.Unmarshal([]byte(line), &s.ready) != nil {
		t.Fatalf("%s is not ready\n%s", s.name, s.text())
	}
	s.inspect(t)
	return s
}

func (s *speaker) read(to *bytes.Buffer, from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		s.mu.Lock()
		to.WriteString(line)
		s.mu.Unlock()
		if strings.HasPrefix(line, `{"ready":true`) {
			s.announced <- line
		}
		if err != nil {
			return
		}
	}
}

func (s *speaker) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String() + s.log.String()
}

// inspect keeps the arguments of the process, and wants it to leave no core.
func (s *speaker) inspect(t *testing.T) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid))
	args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if errors.Is(err, fs.ErrNotExist) {
		return // not Linux
	}
	s.world.keep(s.name+": arguments", string(args))
	limits, err := os.ReadFile(filepath.Join(dir, "limits"))
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 ") {
		t.Errorf("%s may leave a core file: %v\n%s", s.name, err, limits)
	}
}

// end ends the program by a signal and keeps what it said.
func (s *speaker) end(t *testing.T, by syscall.Signal, want int) {
	t.Helper()
	if err := s.cmd.Process.Signal(by); err != nil {
		t.Fatal(err)
	}
	s.reading.Wait()
	if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != want {
		t.Errorf("%s ended with %v, want code %d\n%s", s.name, err, want, s.text())
	}
	s.world.keep(s.name, s.text())
}

// keys makes a secret of every private key below the home.
func (w *secretsWorld) keys(t *testing.T, passphrase string) {
	t.Helper()
	err := filepath.WalkDir(w.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".key") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key, err := pemutil.Parse(text, pemutil.WithPassword([]byte(passphrase)))
		if err != nil {
			return err
		}
		w.key(t, strings.TrimPrefix(path, w.home), text, key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// key makes a secret of a private key: its file, its encoding and its number,
// in every form in which somebody might print them.
func (w *secretsWorld) key(t *testing.T, path string, text []byte, key any) {
	t.Helper()
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("%s holds a %T", path, key)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	for form, secret := range map[string][]byte{"file": block.Bytes, "PKCS#8": der, "number": scalar} {
		what := "the " + form + " of " + path
		w.secrets[hex.EncodeToString(secret)] = what + " in hex"
		w.secrets[string(secret)] = what + " as it is"
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			w.secrets[encoding.EncodeToString(secret)] = what + " in base64"
		}
	}
	w.secrets[private.D.String()] = "the number of " + path + " in decimal" //nolint:staticcheck // as %v would print it
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines[1 : len(lines)-1] {
		if len(line) == 64 {
			w.secrets[line] = "a line of " + path
		}
	}
}

// files keeps what every file below the home holds, but for those that are made
// to keep secrets.
func (w *secretsWorld) files(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(w.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".key") {
			return err
		}
		text, err := os.ReadFile(path)
		w.keep("file "+strings.TrimPrefix(path, w.home), string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check fails for every secret that was said.
func (w *secretsWorld) check(t *testing.T) {
	t.Helper()
	for what, text := range w.said {
		joined := strings.NewReplacer("\n", "", "\\n", "").Replace(text) // a key over several lines, or in JSON
		for secret, of := range w.secrets {
			if strings.Contains(text, secret) || strings.Contains(joined, secret) {
				t.Errorf("%s tells %s", what, of)
			}
		}
	}
}
