package judge

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Proof checks the proof of a vector, and of a good proof in a map returns what
// it shows. An error without a class says that the vector itself is broken.
func Proof(v vectors.Proof) (*vectors.ProofWant, error) {
	switch v.Kind {
	case "key":
		if got := discovery.ServiceKey(*v.NID, v.Service); got != *v.Key {
			return nil, fmt.Errorf("the key is %s, not %s", got, v.Key)
		}
		return nil, nil //nolint:nilnil // a key proves nothing
	case "map":
		return mapProof(v)
	}
	var hashes []identity.Hash
	if err := json.Unmarshal(v.Proof, &hashes); err != nil {
		return nil, fmt.Errorf("reading a proof: %w", err)
	}
	proof := make([][32]byte, 0, len(hashes))
	for _, h := range hashes {
		proof = append(proof, h)
	}
	switch v.Kind {
	case "inclusion":
		return nil, classed(identity.Equivocation, translog.VerifyInclusion(proof, v.Size, *v.Root, v.Index, *v.Leaf))
	case "tree":
		return nil, classed(identity.Incomplete, translog.VerifyInclusion(proof, v.Size, *v.Root, v.Index, *v.Leaf))
	case "consistency":
		return nil, classed(identity.Equivocation, translog.VerifyConsistency(proof, v.Size, *v.Root, v.OldSize, *v.OldRoot))
	}
	return nil, fmt.Errorf("unknown kind %q", v.Kind)
}

func mapProof(v vectors.Proof) (*vectors.ProofWant, error) {
	var p prefixmap.Proof
	if err := json.Unmarshal(v.Proof, &p); err != nil {
		return nil, classed(identity.Malformed, err)
	}
	value, present, err := prefixmap.Verify(*v.Root, *v.Key, p)
	if err != nil {
		return nil, classed(identity.Incomplete, err)
	}
	got := &vectors.ProofWant{Present: present}
	if present {
		got.Value = new(identity.Hash(value))
	}
	return got, nil
}

// classed gives an error of the proofs' packages, which know no classes, the
// class of its place.
func classed(code identity.Code, err error) error {
	if errors.Is(err, prefixmap.ErrTooLong) || errors.Is(err, translog.ErrTooLong) {
		code = identity.Limits
	}
	if err == nil {
		return nil
	}
	return identity.Refuse(code, "%w", err)
}
