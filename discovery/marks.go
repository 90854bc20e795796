package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

// lockPatience is for how long another program of the identity is waited for:
// it holds the lock for one file, synced. One that is stopped in between is not
// waited for again until it lets go.
const lockPatience = time.Second

// Marks are what a client remembers of what it has verified, so that nobody
// can show it an older world: per registry how far its log had come, per node
// its latest state, per authority its latest revocation list. They live in one
// file, which several programs of one identity may share.
type Marks struct {
	path string // "" where there is no file

	mu       sync.Mutex
	state    marks // guarded by mu
	volatile error // why the file does not hold the state; guarded by mu
}

type marks struct {
	Registries map[identity.NodeID]identity.RegistryMark `json:"registries"`
	Nodes      map[identity.NodeID]NodeMark              `json:"nodes"`
	CRLs       map[identity.Hash]CRLMark                 `json:"crls"`
}

// NewMarks returns marks that live in memory only: each start of the program
// is a first contact.
func NewMarks() *Marks { return &Marks{state: newMarks()} }

// OpenMarks reads the marks at path; no file is no marks yet. A file that does
// not parse is a [*MarksError]: to go on without it would forget what protects
// from a rollback. One that others may change is [identity.ErrFileMode].
func OpenMarks(path string) (*Marks, error) {
	m := &Marks{path: path, state: newMarks()}
	state, err := readMarks(path)
	if err != nil {
		return nil, err
	}
	m.state = state
	return m, nil
}

// A MarksError says that a file of marks is damaged.
type MarksError struct {
	Path string
	Err  error // what is wrong with it, with its class
}

// Error says which file it is, and what is wrong.
func (e *MarksError) Error() string {
	return fmt.Sprintf("the marks in %s are damaged: %v", e.Path, e.Err)
}

// Unwrap returns what is wrong.
func (e *MarksError) Unwrap() error { return e.Err }

func newMarks() marks {
	return marks{map[identity.NodeID]identity.RegistryMark{}, map[identity.NodeID]NodeMark{}, map[identity.Hash]CRLMark{}}
}

func readMarks(path string) (marks, error) {
	text, err := readOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newMarks(), nil
	}
	if err != nil {
		return marks{}, fmt.Errorf("reading marks: %w", err)
	}
	var state marks
	if err := identity.UnmarshalStrict(text, &state); err != nil {
		return marks{}, &MarksError{path, err}
	}
	if state.Registries == nil || state.Nodes == nil || state.CRLs == nil {
		return marks{}, &MarksError{path, identity.Refuse(identity.Malformed, "a part is missing")}
	}
	if err := state.check(); err != nil {
		return marks{}, &MarksError{path, err}
	}
	return state, nil
}

// readOwn reads a file that nobody else can have written: a mark of theirs could
// keep every true answer out.
func readOwn(path string) ([]byte, error) {
	if err := identity.CheckTrustedFile(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // the caller's own file
}

// check refuses marks of nothing that could have been verified. One that no
// answer is below would protect from nothing.
func (s *marks) check() error {
	for id, mark := range s.Registries {
		if mark.Version < 1 || mark.Made < 0 {
			return identity.Refuse(identity.Malformed, "the mark of %s is of no head", id)
		}
	}
	for id, mark := range s.Nodes {
		if mark.Epoch < 1 || mark.Sequence < 0 {
			return identity.Refuse(identity.Malformed, "the mark of %s is of no statement", id)
		}
	}
	for issuer, mark := range s.CRLs {
		if _, ok := mark.number(); !ok {
			return identity.Refuse(identity.Malformed, "the mark of the authority %s is of no revocation list", issuer)
		}
	}
	return nil
}

// Volatile returns why the marks could not be written, nil if they were.
func (m *Marks) Volatile() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.volatile
}

// Registry returns how far a registry was seen; nil: never.
func (m *Marks) Registry(id identity.NodeID) *identity.RegistryMark {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mark, ok := m.state.Registries[id]; ok {
		return &mark
	}
	return nil
}

// Node returns what is remembered of a node; nil: nothing.
func (m *Marks) Node(id identity.NodeID) *NodeMark {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mark, ok := m.state.Nodes[id]; ok {
		return &mark
	}
	return nil
}

// SuggestAll takes the authority's marks of the registries that are not known yet.
func (m *Marks) SuggestAll(registries []identity.RegistryEntry) error {
	return m.update(func(state *marks) (changed bool, err error) {
		for _, r := range registries {
			if _, known := state.Registries[r.Registry]; known || r.Mark == nil {
				continue
			}
			state.Registries[r.Registry], changed = *r.Mark, true
		}
		return changed, nil
	})
}

// movedError says that a registry's mark has moved past what a view was verified
// against; both must be linked before the view may be used.
type movedError struct{ mark identity.RegistryMark }

func (e movedError) Error() string {
	return fmt.Sprintf("the mark has moved to version %d meanwhile", e.mark.Version)
}

// commit takes over what was verified of head and nodes. The head was verified
// to continue base (nil: first contact). If the mark is elsewhere by now it
// returns [movedError], unless linked says that the two were linked.
func (m *Marks) commit(head Head, base *identity.RegistryMark, nodes map[identity.NodeID]NodeMark, linked *identity.RegistryMark, now int64) error {
	return m.update(func(state *marks) (bool, error) {
		current, known := state.Registries[head.Registry]
		if known && !isMark(base, current) && !isMark(linked, current) {
			if current.Version == head.Version {
				if err := errors.Join(checkSame(head, &current), head.checkWhole(&current)); err != nil {
					return false, err
				}
			} else {
				return false, movedError{current}
			}
		}
		changed := false
		if head.Version > current.Version {
			state.Registries[head.Registry], changed = head.Mark(), true
		}
		return state.mergeNodes(nodes, now) || changed, nil
	})
}

func isMark(m *identity.RegistryMark, current identity.RegistryMark) bool {
	return m != nil && *m == current
}

func (s *marks) mergeNodes(nodes map[identity.NodeID]NodeMark, now int64) bool {
	changed := false
	for id, mark := range nodes {
		old, known := s.Nodes[id]
		if known {
			mark = old.merge(mark)
		}
		if !known || mark != old {
			s.Nodes[id], changed = mark, true
		}
	}
	if changed {
		maps.DeleteFunc(s.Nodes, func(_ identity.NodeID, mark NodeMark) bool { return identity.RememberUntil(mark.IAT) < now })
	}
	return changed
}

// update changes the marks under the lock of the file: it reads what other
// programs have written, applies step, and replaces the file. A step that
// fails changes nothing. Where the file cannot be had the marks go on in
// memory, and the next update tries again.
func (m *Marks) update(step func(*marks) (changed bool, err error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.path == "" {
		_, err := step(&m.state)
		return err
	}
	patience := lockPatience
	if m.volatile != nil {
		patience = 0
	}
	unlock, err := identity.TakeLock(m.path+".lock", patience)
	if err != nil {
		m.volatile = err
		_, err = step(&m.state)
		return err
	}
	defer unlock()
	state, err := readMarks(m.path)
	if err != nil {
		return err
	}
	if m.volatile != nil {
		state.merge(m.state) // what the file missed
	}
	changed, err := step(&state)
	m.state = state
	if err != nil || !changed && m.volatile == nil {
		return err
	}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	m.volatile = identity.ReplaceFile(m.path, text, 0o600)
	return nil
}

// merge takes over what is later in o.
func (s *marks) merge(o marks) {
	for id, mark := range o.Registries {
		if mark.Version > s.Registries[id].Version {
			s.Registries[id] = mark
		}
	}
	for id, mark := range o.Nodes {
		if have, known := s.Nodes[id]; known {
			mark = have.merge(mark)
		}
		s.Nodes[id] = mark
	}
	for issuer, mark := range o.CRLs {
		if mark.isAfter(s.CRLs[issuer]) {
			s.CRLs[issuer] = mark
		}
	}
}
