package command

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
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
