package prefixmap_test

import (
	"bytes"
	"testing"

	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzVerifyProof holds the verifier against the words of docs/protocol.md. A
// proof that was read is written as it was, but for what readers ignore.
func FuzzVerifyProof(f *testing.F) {
	file, err := vectors.Read[vectors.Proof]("../../testdata/vectors", vectors.ProofsFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range file.Vectors {
		if v.Kind == "map" {
			f.Add(v.Root[:], v.Key[:], []byte(v.Proof))
		}
	}
	for _, entries := range []map[hash]hash{
		{}, {{1}: {1}}, {{1}: {1}, {2}: {2}}, {{0x80}: {1}, {0x81}: {2}, {}: {3}}, {{}: {1}, {31: 1}: {2}},
	} {
		m := mapOf(entries)
		root := m.Root()
		for _, key := range []hash{{}, {1}, {0x80}, {0xff}} {
			text, err := m.Prove(key).MarshalJSON()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(root[:], key[:], text)
		}
	}
	f.Fuzz(func(t *testing.T, root, key, text []byte) {
		var p prefixmap.Proof
		var err error
		spoil.Bounded(t, len(text), 64, func() { err = p.UnmarshalJSON(text) })
		if err != nil {
			spoil.Shown(t, err.Error())
			return
		}
		checkEncoding(t, p)
		if len(root) != 32 || len(key) != 32 {
			return
		}
		value, present, err := prefixmap.Verify(hash(root), hash(key), p)
		naive, naivePresent, ok := naiveVerify(hash(root), hash(key), p)
		if ok != (err == nil) || naive != value || naivePresent != present {
			t.Errorf("got %x, %v, %v, the text says %x, %v, %v", value, present, err, naive, naivePresent, ok)
		}
	})
}

func checkEncoding(t *testing.T, p prefixmap.Proof) {
	t.Helper()
	text, err := p.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var again prefixmap.Proof
	if err := again.UnmarshalJSON(text); err != nil {
		t.Fatalf("%s does not survive its own encoding: %v", text, err)
	}
	if second, err := again.MarshalJSON(); err != nil || !bytes.Equal(second, text) || len(p.Siblings) > prefixmap.MaxSiblings {
		t.Errorf("%s is written as %s, %v", text, second, err)
	}
}
