package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget"
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
