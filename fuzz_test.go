package netget_test

import (
	"os"
	"testing"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzNodeState reads node.state, which others may have written: it holds a node
// back by no more than the skew of clocks, and does not keep it from starting.
func FuzzNodeState(f *testing.F) {
	const now = 1_795_348_800
	good := `{"epoch":1795348800,"sequence":12,"iat":1795348801,"registered":true}`
	for way := range byte(7) {
		for place := range uint16(5) {
			f.Add([]byte(good), place, way, []byte{0, byte(place + 1), 1})
		}
	}
	for _, text := range []string{"", "{", "[]", `{"epoch":9223372036854775807}`, `{"epoch":-1,"sequence":-5}`, `{"sequence":9223372036854775807}`, `{"epoch":null}`, `{"iat":1e3}`} {
		f.Add([]byte(text), uint16(0), byte(3), []byte{})
	}
	folder := identity.NewFolder(f.TempDir())
	f.Fuzz(func(t *testing.T, text []byte, place uint16, way byte, with []byte) {
		text = spoil.JSON(text, place, way, with)
		if err := os.WriteFile(folder.Path(identity.StateFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		var epoch, sequence, iat int64
		var ok bool
		var err error
		spoil.Bounded(t, len(text), 64, func() { epoch, sequence, iat, ok, err = netget.LoadState(folder, now) })
		if err != nil {
			t.Errorf("%s keeps the node from starting: %v", text, err)
		}
		if epoch < 0 || epoch > now+60 || iat < 0 || iat > now+60 || sequence < 0 || sequence > identity.MaxSequence {
			t.Errorf("%s is taken as (%d, %d) at %d", text, epoch, sequence, iat)
		}
		if !ok && (epoch != 0 || sequence != 0 || iat != 0) {
			t.Errorf("%s was dropped and counts", text)
		}
	})
}
