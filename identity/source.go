package identity

import (
	"sync"
)

// A Source hands out the identity that is in force now. A renewal or a reload
// replaces it under the running program: connections and signatures made from
// then on use the new one. It is safe for concurrent use.
type Source struct {
	folder *Folder // nil: the identity lives in memory only

	changing sync.Mutex // held by the one change under way, its file writes included

	mu       sync.Mutex
	current  *Identity     // guarded by mu
	changed  chan struct{} // guarded by mu; closed at the next change
	volatile error         // guarded by mu; why the newest identity is not on disk
}

// NewSource loads the identity of a folder.
func NewSource(folder *Folder) (*Source, error) {
	i, err := folder.Load()
	if err != nil {
		return nil, err
	}
	return &Source{folder: folder, current: i, changed: make(chan struct{})}, nil
}

// NewMemorySource returns a source that is not kept on disk.
func NewMemorySource(i *Identity) (*Source, error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	return &Source{current: i, changed: make(chan struct{})}, nil
}

// Folder returns where the identity is kept, or nil.
func (s *Source) Folder() *Folder { return s.folder }

// Identity returns what is in force.
func (s *Source) Identity() *Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Changed returns a channel that is closed when the identity is next replaced.
func (s *Source) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Volatile returns why the identity in force could not be written to its
// folder, nil if it was. It goes on in memory then.
func (s *Source) Volatile() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.volatile
}

// Replace puts a later identity of the same node in force, on disk where that
// is possible, in memory always. What next has in common with the identity in
// force stays as it is on disk, where another program may have renewed it.
func (s *Source) Replace(next *Identity) error {
	was := s.Identity()
	return s.Update(func(current *Identity) (*Identity, error) { return rebase(next, was, current) })
}

// Update is [Source.Replace] for an identity that change derives from the one
// in force; of two that come at once, from other programs too, the second sees
// what the first has made. An error of change is returned as it is, and nothing
// is replaced.
func (s *Source) Update(change func(current *Identity) (*Identity, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	current, unlock, volatile := s.open()
	defer unlock()
	next, err := change(current)
	if err != nil {
		return err
	}
	if err := next.check(); err != nil {
		return err
	}
	if err := current.checkSame(next); err != nil {
		return err
	}
	if s.folder != nil && volatile == nil {
		volatile = s.folder.save(next)
	}
	s.put(next, volatile)
	return nil
}

// open locks the folder and returns the identity that a change starts from. If
// the folder is not to be written, for a reason that it returns, that is the one
// in memory; so it is where the folder does not load, which writing it mends.
func (s *Source) open() (current *Identity, unlock func(), volatile error) {
	current, unlock = s.Identity(), func() {}
	if s.folder == nil {
		return current, unlock, nil
	}
	release, err := s.folder.lock()
	if err != nil {
		return current, unlock, err
	}
	disk, err := s.folder.Load()
	if err != nil {
		return current, release, nil //nolint:nilerr // what is there is of no use to anybody
	}
	if err := current.checkSame(disk); err != nil {
		return current, release, err
	}
	later, err := latest(current, disk, s.Volatile() == nil)
	if err != nil {
		return current, release, err
	}
	return later, release, nil
}

// Reload reads the folder again, as after a renewal by another program. An
// identity of another node, or of another network, is [Binding].
func (s *Source) Reload() error {
	if s.folder == nil {
		return nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	next, err := s.folder.Load()
	if err != nil {
		return err
	}
	if err := s.Identity().checkSame(next); err != nil {
		return err
	}
	s.put(next, nil)
	return nil
}

func (s *Source) put(next *Identity, volatile error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.volatile = next, volatile
	close(s.changed)
	s.changed = make(chan struct{})
}
