package healthwatch

import (
	"fmt"
	"time"
)

// Rules are the numbers by which a network's nodes are judged.
type Rules struct {
	// Missed is after how many intervals without a heartbeat a node is down, at
	// least 2; after two it is suspect. Zero: 3.
	Missed int
	// Failed is after how many failed probes in a row a node is down; after the
	// first it is suspect. Zero: 3.
	Failed int
	// Good is how many heartbeats or probes in a row bring a node up again. Each
	// time that it leaves up before it was up for Calm, twice as many are needed
	// the next time. Zero: 2.
	Good int
	// Slack is what a heartbeat may take on its way. Zero: 500 ms.
	Slack time.Duration
	// Calm is after how long up nobody remembers what was before. Zero: 10 min.
	Calm time.Duration
}

// What rules may be, and what they are if nobody says.
const (
	defaultMissed, defaultFailed, defaultGood = 3, 3, 2

	defaultSlack = 500 * time.Millisecond
	defaultCalm  = 10 * time.Minute

	MostRule  = 1000 // of any number
	mostTurns = 5    // so that a node needs at most 16 times Good
)

// withDefaults checks the rules and fills in those that are zero.
func (r Rules) withDefaults() (Rules, error) {
	for _, rule := range []struct {
		name     string
		value    *int
		standard int
		least    int
	}{{"missed heartbeats", &r.Missed, defaultMissed, 2}, {"failed probes", &r.Failed, defaultFailed, 1}, {"good signs", &r.Good, defaultGood, 1}} {
		if *rule.value == 0 {
			*rule.value = rule.standard
		}
		if *rule.value < rule.least || *rule.value > MostRule {
			return r, fmt.Errorf("a rule of %d %s; from %d to %d are possible", *rule.value, rule.name, rule.least, MostRule)
		}
	}
	if r.Slack < 0 || r.Calm < 0 {
		return r, fmt.Errorf("a negative slack or calm: %s, %s", r.Slack, r.Calm)
	}
	if r.Slack == 0 {
		r.Slack = defaultSlack
	}
	if r.Calm == 0 {
		r.Calm = defaultCalm
	}
	return r, nil
}
