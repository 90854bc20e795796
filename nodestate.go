package netget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	// clockSkew is by how many seconds clocks may differ.
	clockSkew = int64(identity.ClockSkew / 1e9)
	// statePatience is for how long another program may hold the state: it signs
	// one statement.
	statePatience = 10 * time.Second
)

// nodeState is node.state: the last place in the node's own order that it has
// signed for. It is on disk before it is used, so that no start and no other
// program of this identity signs for the same place again.
type nodeState struct {
	Epoch    int64 `json:"epoch"`
	Sequence int64 `json:"sequence"`
	IAT      int64 `json:"iat"`
	// Registered is true from the first record on until the tombstone.
	Registered bool `json:"registered"`
}

// loadState reads node.state; no file is the zero state. A state from the
// future is dropped: whoever set the clock back does not want to wait for it.
func loadState(folder *identity.Folder, now int64) (state nodeState, warning string, err error) {
	path := folder.Path(identity.StateFile)
	err = identity.CheckTrustedFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nodeState{}, "", nil
	}
	if err != nil {
		return nodeState{}, "", fmt.Errorf("reading the node's state: %w", err)
	}
	text, err := os.ReadFile(path) //nolint:gosec // a file of the folder that the caller chose
	if err != nil {
		return nodeState{}, "", fmt.Errorf("reading the node's state: %w", err)
	}
	if err := identity.UnmarshalStrict(text, &state); err != nil {
		return nodeState{}, "the node's state is damaged and was dropped", nil //nolint:nilerr // the warning says it
	}
	if state.Epoch < 0 || state.IAT < 0 || state.Sequence < 0 || state.Sequence > identity.MaxSequence {
		return nodeState{}, "the node's state is of no statement and was dropped", nil
	}
	if state.Epoch > now+clockSkew || state.IAT > now+clockSkew {
		return nodeState{}, "the node's state is from the future and was dropped", nil
	}
	return state, "", nil
}

// save makes the state durable.
func (s nodeState) save(folder *identity.Folder) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return identity.ReplaceFile(folder.Path(identity.StateFile), append(text, '\n'), 0o600)
}

// after returns the later of two places: that of the state, and another.
func (s nodeState) after(epoch, sequence int64) nodeState {
	if s.Epoch < epoch || s.Epoch == epoch && s.Sequence < sequence {
		s.Epoch, s.Sequence = epoch, sequence
	}
	return s
}

// savedPlace reads the place that was signed for last; what is wrong with it is
// logged.
func (s *session) savedPlace(ctx context.Context) (nodeState, error) {
	place, warning, err := loadState(s.source.Folder(), s.opts.Now().Unix())
	if warning != "" {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "node state dropped", slog.String("reason", warning))
	}
	return place, err
}

// savePlace writes the place that was signed for. A folder that cannot be
// written keeps nobody from going on.
func (s *session) savePlace(ctx context.Context, place nodeState) {
	if err := place.save(s.source.Folder()); err != nil {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "node state not written", slog.Any("error", err))
	}
}

// lockPlace keeps other programs of this identity from signing between the reading
// and the writing of the place. What cannot be locked keeps nobody from going on.
func (s *session) lockPlace(ctx context.Context) (unlock func()) {
	unlock, err := identity.TakeLock(s.source.Folder().Path(identity.StateFile)+".lock", statePatience)
	if err != nil {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "node state not locked", slog.Any("error", err))
		return func() {}
	}
	return unlock
}
