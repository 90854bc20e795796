package healthwatch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/healthwatch"
)

// Every file of testdata/health is the script of one node: what happens when, and
// behind an arrow what it is from then on. The lines:
//
//	node [interval=15s] [probed] [proof] [was=down]
//	rules [missed=3] [failed=3] [good=2] [slack=500ms] [calm=10m]
//	15s beat | pass | good | bad WHY | refused WHY | excuse
//	15s..60s/15s beat    the same every 15 s, both ends included
func TestHealthScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/health/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := script{t: t, rules: healthwatch.Rules{Missed: 3, Failed: 3, Good: 2, Slack: 500 * time.Millisecond, Calm: 10 * time.Minute}}
			var got strings.Builder
			for line := range strings.Lines(string(text)) {
				said, _, _ := strings.Cut(strings.TrimRight(line, "\n"), "  ->")
				got.WriteString(said + s.run(said) + "\n")
			}
			if diff := cmp.Diff(string(text), got.String()); diff != "" {
				t.Errorf("(-file +got):\n%s", diff)
			}
		})
	}
}

type script struct {
	t      *testing.T
	rules  healthwatch.Rules
	health healthwatch.Health
}

// run does what a line says and returns what has changed.
func (s *script) run(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return ""
	}
	switch words[0] {
	case "node":
		s.node(words[1:])
		return ""
	case "rules":
		s.setRules(words[1:])
		return ""
	}
	var out strings.Builder
	from, until, step := s.moments(words[0])
	for at := from; at <= until; at += step {
		out.WriteString(s.do(at, words[1], strings.Join(words[2:], " ")))
	}
	return out.String()
}

func (s *script) moments(text string) (from, until, step time.Duration) {
	first, rest, isRange := strings.Cut(text, "..")
	from = s.duration(first)
	if !isRange {
		return from, from, 1
	}
	last, every, _ := strings.Cut(rest, "/")
	return from, s.duration(last), s.duration(every)
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) node(words []string) {
	signs, before := healthwatch.Signs{}, healthwatch.Up
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "interval":
			signs.Interval = s.duration(value)
		case "probed":
			signs.Probed = true
		case "proof":
			signs.Probed, signs.Proof = true, true
		case "was":
			before = map[string]healthwatch.Status{"suspect": healthwatch.Suspect, "down": healthwatch.Down}[value]
		default:
			s.t.Fatalf("a node with %q", word)
		}
	}
	s.health = healthwatch.NewHealth(signs, before, 0)
	s.health.Resign(s.rules, signs, before == healthwatch.Up, 0)
}

func (s *script) setRules(words []string) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		numbers := map[string]*int{"missed": &s.rules.Missed, "failed": &s.rules.Failed, "good": &s.rules.Good}
		times := map[string]*time.Duration{"slack": &s.rules.Slack, "calm": &s.rules.Calm}
		if n := numbers[key]; n != nil {
			if _, err := fmt.Sscan(value, n); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		*times[key] = s.duration(value)
	}
}

func (s *script) do(at time.Duration, what, rest string) string {
	var changed bool
	switch what {
	case "beat":
		changed = s.health.Beat(s.rules, at)
	case "pass":
		changed = s.health.Pass(s.rules, at)
	case "good":
		changed = s.health.Probe(s.rules, "", at)
	case "bad":
		changed = s.health.Probe(s.rules, rest, at)
	case "refused":
		changed = s.health.Refuse(s.rules, rest, at)
	case "excuse":
		s.health.Excuse(at)
	default:
		s.t.Fatalf("%q is nothing that happens", what)
	}
	if !changed {
		return ""
	}
	out := fmt.Sprintf("  -> %s %s (%s)", s.health.Status(), s.health.Reason(), s.health.Evidence(at))
	if s.health.Disputed() {
		out += " disputed"
	}
	return out
}
