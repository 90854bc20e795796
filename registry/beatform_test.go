package registry_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// What programs of this module send is read the short way.
func TestHeartbeatsAsWeSendThemAreReadTheShortWay(t *testing.T) {
	for name, sent := range map[string]discovery.BeatRequest{
		"a heartbeat":                 {RID: identity.Hash{1}, K: 7, Token: identity.Hash{0xff}},
		"one that asks for a receipt": {RID: identity.Hash{1}, K: 8640, Token: identity.Hash{2}, Receipt: true},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(sent)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := registry.ReadPlainBeat(body)
			if want := (registry.BeatForm{RID: sent.RID, K: sent.K, Token: sent.Token, Receipt: sent.Receipt}); !ok || got != want {
				t.Errorf("%s is read as %+v, %v", body, got, ok)
			}
		})
	}
}

func TestHeartbeatRepliesAreThoseOfEncodingJSON(t *testing.T) {
	for _, status := range []discovery.Status{discovery.Up, discovery.Suspect, discovery.Down} {
		for _, late := range []bool{false, true} {
			sent, want, err := registry.EncodeBeatReply(identity.Hash{3}, status, 1<<40, 1<<53-1, late)
			if err != nil || !bytes.Equal(sent, want) {
				t.Errorf("got %s, want %s (%v)", sent, want, err)
			}
		}
	}
}

// FuzzBeatForm: what the short way takes, the long way takes, and reads the same
// in it.
func FuzzBeatForm(f *testing.F) {
	good := beatBody(identity.Hash{1}, 12, identity.Hash{2})
	receipt := good[:len(good)-1] + `,"receipt":true}`
	for _, seed := range []string{
		good, receipt, good + "{}", good + " ", " " + good, good[:len(good)-2], good[:40], receipt[:len(receipt)-1] + `,"receipt":false}`,
		beatBody(identity.Hash{1}, 0, identity.Hash{2}), beatBody(identity.Hash{1}, -1, identity.Hash{2}),
		beatBody(identity.Hash{1}, 1<<62, identity.Hash{2}), beatBody(identity.Hash{1}, 1<<53, identity.Hash{2}),
	} {
		f.Add([]byte(seed))
		f.Add(bytes.Replace([]byte(seed), []byte(`"k":`), []byte(`"k":0`), 1))
		f.Add(bytes.Replace([]byte(seed), []byte(`A`), []byte("\n"), 1))
		f.Add(bytes.Replace([]byte(seed), []byte(`","k`), []byte(`=","k`), 1))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		short, ok := registry.ReadPlainBeat(body)
		if !ok {
			return
		}
		long, err := registry.ReadAnyBeat(body)
		if err != nil || short != long {
			t.Errorf("%q: the short way reads %+v, the long way %+v, %v", body, short, long, err)
		}
	})
}
