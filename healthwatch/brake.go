package healthwatch

import (
	"fmt"
	"time"
)

// A Brake says when the downs of a network are held back: where so many nodes
// fail together, it is more likely that the registry or its network does.
type Brake struct {
	// Share of the nodes, above which it holds. Zero: 0.3; 1: never.
	Share float64
	// Max is for how long it holds; it lets go earlier when for a minute no more
	// than Share failed. Zero: 5 min.
	Max time.Duration
}

const (
	defaultBrakeShare = 0.3
	defaultBrakeMax   = 5 * time.Minute

	// MostBrake bounds Max: no dead node stays listed as up for ever.
	MostBrake = time.Hour

	// No brake for so few nodes, whatever their share.
	mostUnbraked = 5
	// What turned down within this time counts together, and for so long must
	// fewer fail before the brake is released: nodes do not come back together.
	brakeWindow = time.Minute
)

// withDefaults checks the brake and fills in what is zero.
func (b Brake) withDefaults() (Brake, error) {
	if b.Share == 0 {
		b.Share = defaultBrakeShare
	}
	if b.Max == 0 {
		b.Max = defaultBrakeMax
	}
	if !(b.Share > 0 && b.Share <= 1) || b.Max < 0 || b.Max > MostBrake {
		return b, fmt.Errorf("a brake above a share of %v, for %s", b.Share, b.Max)
	}
	return b, nil
}

// brake is the pure part: it is told how many nodes are failing, and holds or
// lets go.
type brake struct {
	Brake

	on    bool
	since time.Duration // when it took hold
	many  time.Duration // when too many failed last
}

// brakeTurn is what a look at the numbers has changed.
type brakeTurn uint8

const (
	brakeStays brakeTurn = iota
	brakeHolds           // from now on
	brakeEases           // the nodes came back
	brakeEnds            // it has held for as long as it may
)

// look takes how many of all nodes are failing at now: those that turned down
// within the last minute or would, and those that may follow.
func (b *brake) look(failing, all int, now time.Duration) brakeTurn {
	tooMany := failing > mostUnbraked && float64(failing) > b.Share*float64(all)
	if tooMany {
		b.many = now
	}
	switch {
	case b.on && now-b.since >= b.Max:
		b.on = false
		return brakeEnds
	case b.on && now-b.many >= brakeWindow:
		b.on = false
		return brakeEases
	case !b.on && tooMany:
		b.on, b.since = true, now
		return brakeHolds
	}
	return brakeStays
}
