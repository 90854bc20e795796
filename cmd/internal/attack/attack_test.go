package attack_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	ca "github.com/neurons-me/netget/cmd/netget-ca/command"
	client "github.com/neurons-me/netget/cmd/netget-client/command"
	registry "github.com/neurons-me/netget/cmd/netget-registry/command"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, programs())
}

func programs() map[string]func(cli.Process) *cli.Program {
	return map[string]func(cli.Process) *cli.Program{
		"netget-ca": ca.New, "netget-client": client.New, "netget-registry": registry.New,
	}
}

// TestAttack prints one line for each case; make attack shows them.
func TestAttack(t *testing.T) {
	b := &board{t: t, ran: map[string]bool{}}
	t.Cleanup(func() {
		b.say("attack: %d cases, %d as they must be, %d surprises", b.passed+b.failed, b.passed, b.failed)
	})
	for _, theme := range []struct {
		name string
		run  func(*testing.T, *group)
	}{
		{"records", attackRecords},
		{"heartbeats", attackHeartbeats},
		{"certificates", attackCertificates},
		{"canonical", attackCanonical},
		{"answers", attackAnswers},
		{"proofs", attackProofs},
		{"names", attackNames},
		{"http", attackHTTP},
		{"tokens", attackTokens},
	} {
		t.Run(theme.name, func(t *testing.T) {
			theme.run(t, &group{b, theme.name})
			b.covered(t, theme.name)
		})
	}
}

// The targets of TestAttack have no authority on the network, and those of
// others may have one that is away: neither is waited for.
func TestRegistryStartsWhileItsAuthorityIsAway(t *testing.T) {
	began := time.Now()
	r := newTarget(t, nil, vectorSigned, func(i *identity.Identity) { i.Document.CA = "https://127.0.0.1:1" })
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	if got := r.state(t); got.Version != 2 {
		t.Errorf("after one registration the version is %d", got.Version)
	}
}

// An outcome is what comes of a case, in the words of its line: a status with
// a class, the exit code of a program, what became of a connection.
type outcome string

// answered is the outcome of a request: its status, and its class if it was
// refused.
func answered(status int, class identity.Code) outcome {
	return outcome(strings.TrimSpace(fmt.Sprintf("%d %s", status, class)))
}

// A board collects what came of all cases.
type board struct {
	t *testing.T // to whose output the lines go

	mu             sync.Mutex
	passed, failed int             // guarded by mu
	ran            map[string]bool // by group and case; guarded by mu
}

// say prints a line, which go test shows with -v.
func (b *board) say(format string, args ...any) {
	if _, err := fmt.Fprintf(b.t.Output(), format+"\n", args...); err != nil {
		b.t.Error(err)
	}
}

// covered fails unless every fact about a group had its case.
func (b *board) covered(t *testing.T, group string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for fact, cases := range facts()[group] {
		for _, name := range cases {
			if !b.ran[group+"/"+name] {
				b.failed++
				b.say("FAIL %-12s %-64q no such case has run, of: %s", group, name, fact)
				t.Fail()
			}
		}
	}
}

// A group is the cases of one theme.
type group struct {
	board *board
	name  string
}

// try runs one case and prints its line. What the attack finds out beyond its
// outcome, such as a change of state, it reports to t, which fails the case.
func (g *group) try(t *testing.T, name string, want outcome, attack func(*testing.T) outcome) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		got := outcome("nothing: the attack was cut short")
		defer func() {
			b := g.board
			b.mu.Lock()
			defer b.mu.Unlock()
			verdict, more := "PASS", ""
			if t.Failed() {
				b.failed++
				verdict = "FAIL"
			} else {
				b.passed++
			}
			if t.Failed() && got == want {
				more = ", and more than that: see above"
			}
			b.ran[g.name+"/"+name] = true
			b.say("%s %-12s %-64q want %-28s got %s%s", verdict, g.name, name, want, got, more)
		}()
		if got = attack(t); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
