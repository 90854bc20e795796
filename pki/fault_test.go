package pki_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/pki"
)

// A breaker lets the n-th write from now fail at one moment.
type breaker struct {
	moment database.Moment
	err    error
	left   atomic.Int64
}

func (b *breaker) hook(m database.Moment) error {
	if m == b.moment && b.left.Add(-1) == 0 {
		return b.err
	}
	return nil
}

// An enrolment is two writes: token with serial, then the certificate. Whatever
// fails, the reply says what became of the token, and it is true.
func TestStoreFailsDuringEnrolment(t *testing.T) {
	broken := errors.New("broken")
	inDoubt := fmt.Errorf("%w: broken", database.ErrInDoubt)
	yes, no := true, false
	for name, tt := range map[string]struct {
		moment database.Moment
		err    error
		write  int64
		said   *bool // token_used of the reply
		status int   // of the next use of the token
	}{
		"before the token is stored":         {database.BeforeCommit, broken, 1, &no, 201},
		"when nobody knows if it is stored":  {database.AfterCommit, inDoubt, 1, nil, 403},
		"before the certificate is stored":   {database.BeforeCommit, broken, 2, &yes, 403},
		"when the certificate may be stored": {database.AfterCommit, inDoubt, 2, &yes, 403},
		"when nothing fails":                 {database.AfterCommit, nil, 0, nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := &breaker{moment: tt.moment, err: tt.err}
			w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) { *c = pki.WithHook(*c, b.hook) })
			c := w.caller(t, "development")
			c.do(t, "GET", "/1.0/health", nil) // the server has its certificate
			token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"}).Token
			b.left.Store(tt.write)
			got := c.do(t, "POST", "/v1/enroll", enrolment{Token: token, CSR: plainCSR(t)})
			if tt.err != nil {
				wantRefusal(t, got, 503, identity.Unavailable)
				wantSaid(t, got, tt.said)
			}
			again := c.do(t, "POST", "/v1/enroll", enrolment{Token: token, CSR: plainCSR(t)})
			if again.status != tt.status {
				t.Errorf("the next use: %d %s, want %d", again.status, again.body, tt.status)
			}
		})
	}
}

func wantSaid(t *testing.T, got reply, want *bool) {
	t.Helper()
	var p struct {
		TokenUsed *bool `json:"token_used"`
	}
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Fatal(err)
	}
	if (p.TokenUsed == nil) != (want == nil) || want != nil && *p.TokenUsed != *want {
		t.Errorf("said %s", got.body)
	}
}

const initInChild = "NETGET_TEST_INIT_DIR"

// TestInitInChild is run by TestKilledInit in a process of its own.
func TestInitInChild(t *testing.T) {
	dir := os.Getenv(initInChild)
	if dir == "" {
		return
	}
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL, Networks: []string{"a", "b", "c"}}); err != nil {
		t.Fatal(err)
	}
}

func TestKilledInit(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(dir string, life time.Duration) (took time.Duration) {
		child := exec.CommandContext(t.Context(), self, "-test.run=^TestInitInChild$")
		child.Env = append(os.Environ(), initInChild+"="+dir)
		began := time.Now()
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(life, func() { child.Process.Kill() })
		child.Wait()
		kill.Stop()
		return time.Since(began)
	}
	home := t.TempDir()
	dir := filepath.Join(home, "ca")
	const rounds = 60 // a kill every so often of an undisturbed run's time, however fast the machine is
	undisturbed := run(filepath.Join(t.TempDir(), "ca"), time.Hour)
	for round := 1; round <= rounds*3/2; round++ {
		run(dir, time.Duration(round)*undisturbed/rounds)
		if _, err := os.Stat(dir); err == nil {
			break // this one got through, and must be whole
		}
	}
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL}); err != nil && !errors.Is(err, pki.ErrInitialised) {
		t.Fatal(err)
	}
	openAndClose(t, pki.Config{Dir: dir})
	entries, err := os.ReadDir(home)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "ca" {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// Connections on which nothing comes are closed, and keep nobody out.
func TestSilentConnections(t *testing.T) {
	const count, each, most = 3000, 60, 6 * time.Second
	synctest.Test(t, func(t *testing.T) {
		l := testpipe.Listen()
		pipeWorldOn(t, &claimingListener{Listener: l, claim: func(i int) string {
			if i >= count {
				return "192.0.2.1:1"
			}
			return fmt.Sprintf("10.0.0.%d:1", i/each)
		}}, func(*pki.Config) {})
		began, silent := time.Now(), make([]*testpipe.Conn, count)
		for i := range silent {
			silent[i] = l.Dial()
		}
		status, err := ask(t, without(t, l.Dial()), "GET", "/v1/bundle", nil, 0)
		if waited := time.Since(began); status != http.StatusOK || waited != 0 {
			t.Errorf("somebody else got %d after %s, %v", status, waited, err)
		}
		for _, c := range silent {
			if took := (<-c.Ended()).Sub(began); took > most {
				t.Fatalf("a silent connection was open for %s", took)
			}
		}
	})
}
