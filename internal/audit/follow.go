package audit

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// pollEvery is how often a diary is looked at while it is followed.
const pollEvery = 200 * time.Millisecond

// A Follower hears of the entries of a diary as they come.
type Follower struct {
	Each    func(Entry) error
	Present func() error  // all that there was at the beginning has been handed over
	Skipped func(Skipped) // lines that are no entries, once a file is over or the end has come
}

// Follow is [Read] that goes on with what is written later, through files that
// are put aside, until ctx ends; then it returns nil. An error of to.Each or
// to.Present ends it.
func Follow(ctx context.Context, path string, to Follower) error {
	r := reader{path: path, each: to.Each}
	defer func() {
		r.finish()
		r.tell(to.Skipped)
		_ = r.close() // nothing was written through it
	}()
	if more, err := r.next(); err != nil || !more {
		return err
	}
	if err := r.catchUp(to.Skipped); err != nil {
		return err
	}
	if err := to.Present(); err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.catchUp(to.Skipped); err != nil {
			return err
		}
	}
}

// catchUp reads to the end of the newest file. Before it leaves a file for the
// next it reads it once more: nothing is written there after the next has begun.
func (r *reader) catchUp(skipped func(Skipped)) error {
	for {
		if r.open != nil {
			if err := r.drain(); err != nil {
				return err
			}
		}
		names, err := r.names()
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if r.open != nil {
			if err := r.drain(); err != nil {
				return err
			}
			r.finish()
			r.tell(skipped)
		}
		if more, err := r.next(); err != nil || !more {
			return err
		}
	}
}

func (r *reader) tell(skipped func(Skipped)) {
	for _, s := range r.skipped {
		skipped(s)
	}
	r.skipped = nil
}
