package registry

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/registry/catalog"
)

// maxLinks bounds the versions of which callers of one head know.
const maxLinks = 1024

// links are encoded consistency proofs that end at one version: most callers
// know one of a few before it.
type links struct {
	mu     sync.Mutex
	to     int64            // guarded by mu
	byFrom map[int64][]byte // guarded by mu
}

// get returns the member that links a version which the caller knows with the
// one of s; nil if there is nothing to link.
func (l *links) get(s *catalog.Snapshot, from int64) ([]byte, error) {
	to := s.Head().Version
	if from == 0 || from == to {
		return nil, nil
	}
	l.mu.Lock()
	known := l.byFrom[from]
	fits := l.to == to
	l.mu.Unlock()
	if fits && known != nil {
		return known, nil
	}
	made, err := encodeConsistency(s, from, to)
	if err == nil {
		l.put(from, to, made)
	}
	return made, err
}

func (l *links) put(from, to int64, made []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to > to {
		return // of a snapshot that is over
	}
	if l.to < to || len(l.byFrom) >= maxLinks {
		l.to, l.byFrom = to, map[int64][]byte{}
	}
	l.byFrom[from] = made
}

func encodeConsistency(s *catalog.Snapshot, from, to int64) ([]byte, error) {
	proof, err := s.Consistency(from, to)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(discovery.Consistency{From: from, Proof: proof})
	if err != nil {
		return nil, err
	}
	return append([]byte(`,"consistency":`), text...), nil
}

// sealTail encodes the seal of s as members that follow others.
func sealTail(s *catalog.Snapshot) ([]byte, error) {
	seal, err := s.Seal(0)
	if err != nil {
		return nil, err
	}
	return members(discovery.HeadDocument{Seal: seal})
}

// answerTail is [sealTail] with the proof of a service.
func answerTail(s *catalog.Snapshot, service string) ([]byte, error) {
	seal, err := s.Seal(0)
	if err != nil {
		return nil, err
	}
	return members(struct {
		discovery.HeadDocument
		Proof prefixmap.Proof `json:"proof"`
	}{discovery.HeadDocument{Seal: seal}, s.Proof(service)})
}

// members encodes an object as members that follow others: comma for brace.
func members(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(text) < 3 || text[0] != '{' {
		return nil, fmt.Errorf("an object without members: %.20q", text)
	}
	text[0] = ','
	return text[:len(text)-1], nil
}

// open encodes an object that members will follow.
func open(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return text[:len(text)-1], nil
}
