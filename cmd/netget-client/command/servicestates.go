package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// A registry answers so many questions of an identity at once, and then at this
// pace; a few are left to whoever else uses the identity.
const (
	questionsAtOnce = 80
	questionPace    = time.Second / 16
	questionsOpen   = 8  // under way
	questionsInVain = 16 // in a row, and nothing more is asked
	pauses          = 3  // for a question
	longestPause    = 10 * time.Second
)

// A serviceHealth counts how the nodes of a service are. One that is disputed or
// draining is also up, suspect or down.
type serviceHealth struct {
	Up       int            `json:"up"`
	Suspect  int            `json:"suspect"`
	Down     int            `json:"down"`
	Disputed int            `json:"disputed"`
	Draining int            `json:"draining"`
	LeftOut  int            `json:"left_out"` // listed, but not to be used at all
	Since    *time.Time     `json:"since"`    // of the last change of a status; nil without nodes
	Reasons  map[string]int `json:"reasons"`  // why nodes are not up or not active: how many
	Stale    bool           `json:"stale"`    // an old answer
}

// A serviceState is a service with the health of its nodes, which is nil where
// nobody was asked, or gave no answer that could be verified.
type serviceState struct {
	netget.ServiceCount

	Health *serviceHealth           `json:"health"`
	Errors []netget.RegistryProblem `json:"errors"`
}

// A healthQuestion asks for a service. The error says why there is no answer to go
// by.
type healthQuestion func(ctx context.Context, service string) (*serviceHealth, []netget.RegistryProblem, error)

// askHealth asks for each of the services. The error says for which there is no
// verified answer.
func askHealth(ctx context.Context, services []serviceState, ask healthQuestion, progress *cli.Progress) error {
	pace := time.NewTicker(questionPace)
	defer pace.Stop()
	problems := make([]error, len(services))
	var asked errgroup.Group
	asked.SetLimit(questionsOpen)
	var inVain atomic.Int64
	for i := range services {
		if inVain.Load() >= questionsInVain {
			problems[i] = identity.Refuse(identity.Unavailable, "not asked, after %d without an answer", questionsInVain)
			continue
		}
		if i >= questionsAtOnce {
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		asked.Go(func() error {
			services[i].Health, services[i].Errors, problems[i] = ask(ctx, services[i].Service)
			if inVain.Add(1); problems[i] == nil {
				inVain.Store(0)
			}
			progress.Step()
			return nil
		})
	}
	_ = asked.Wait() // none of them returns an error
	progress.End()
	return unanswered(services, problems)
}

// health asks a network for a service, and again after a pause where a registry
// wants one.
func health(ctx context.Context, node *netget.Node, service string) (*serviceHealth, []netget.RegistryProblem, error) {
	d, err := node.Discover(ctx, service)
	for range pauses {
		problem, ok := errors.AsType[*identity.ProblemError](err)
		if !ok || problem.RetryAfter <= 0 || problem.RetryAfter > longestPause {
			break
		}
		select {
		case <-time.After(problem.RetryAfter):
		case <-ctx.Done():
		}
		d, err = node.Discover(ctx, service)
	}
	if d == nil {
		return nil, []netget.RegistryProblem{}, err
	}
	if err != nil {
		return nil, d.Errors, err
	}
	return newServiceHealth(d), d.Errors, nil
}

// unanswered names services that have no answer, and what kept the first from it.
func unanswered(services []serviceState, problems []error) error {
	var names []string
	var first error
	for i, err := range problems {
		if err == nil {
			continue
		}
		if names = append(names, services[i].Service); first == nil {
			first = err
		}
	}
	if first == nil {
		return nil
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return fmt.Errorf("no verified answer for %s: %w", strings.Join(names, ", "), first)
}

func newServiceHealth(d *netget.Discovery) *serviceHealth {
	h := &serviceHealth{LeftOut: len(d.LeftOut), Reasons: map[string]int{}, Stale: d.Stale}
	for _, n := range d.Nodes {
		h.count(n)
	}
	for _, l := range d.LeftOut {
		h.Reasons[string(l.Code)]++
	}
	return h
}

func (h *serviceHealth) count(n netget.ServiceNode) {
	switch n.Status {
	case discovery.Up:
		h.Up++
	case discovery.Suspect:
		h.Suspect++
	case discovery.Down:
		h.Down++
	}
	if n.Disputed {
		h.Disputed++
	}
	if n.State == identity.Draining {
		h.Draining++
	}
	if h.Since == nil || n.Since.After(*h.Since) {
		h.Since = &n.Since
	}
	if word := why(n); word != "" {
		h.Reasons[word]++
	}
}

// cells are the columns of a service, the reasons with the most nodes first.
func (s serviceState) cells() []string {
	row := []string{s.Service, strconv.FormatInt(s.Records, 10)}
	h := s.Health
	if h == nil {
		code := "-"
		if len(s.Errors) > 0 {
			code = string(s.Errors[0].Code)
		}
		return append(row, "?", "?", "?", "?", "?", "-", code)
	}
	for _, count := range []int{h.Up, h.Suspect, h.Down, h.Disputed, h.Draining} {
		row = append(row, strconv.Itoa(count))
	}
	since := "-"
	if h.Since != nil {
		since = clock(*h.Since)
	}
	return append(row, since, orDash(h.reasons()))
}

func (h *serviceHealth) reasons() string {
	words := slices.Sorted(maps.Keys(h.Reasons))
	slices.SortStableFunc(words, func(a, b string) int { return h.Reasons[b] - h.Reasons[a] })
	for i, word := range words {
		if n := h.Reasons[word]; n > 1 {
			words[i] = fmt.Sprintf("%s (%d)", word, n)
		}
	}
	if h.Stale {
		words = append(words, "stale")
	}
	return strings.Join(words, ", ")
}

// countColour colours the counts that are not 0.
func countColour(column int, cell string) cli.Colour {
	colours := []cli.Colour{cli.Plain, cli.Plain, cli.Green, cli.Yellow, cli.Red, cli.Yellow, cli.Yellow, cli.Plain, cli.Plain}
	if cell == "0" {
		return cli.Plain
	}
	return colours[column]
}
