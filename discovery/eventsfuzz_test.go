package discovery_test

import (
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzEvents reads pages of events: whatever is taken goes on from what was seen,
// and can be shown to people.
func FuzzEvents(f *testing.F) {
	for i, doc := range []string{
		`{"events":[],"next":0}`,
		`{"events":[{"id":5,"time":1,"node":"","from":"","to":"","reason":"brake-on","evidence":"","disputed":false}],"next":7}`,
		`{"events":[{"id":5,"time":1,"node":"spiffe://n.netget.internal/s/a","from":"up","to":"down","reason":"probe-failed","evidence":"é","disputed":true},` +
			`{"id":6,"time":1,"node":"spiffe://n.netget.internal/s/a","from":"down","to":"","reason":"expired","evidence":""}],"next":6}`,
	} {
		f.Add(int64(4), []byte(doc), uint16(1), byte(3), []byte{0, 1})
		f.Add(int64(i), []byte(doc), uint16(i)*9, byte(i), []byte{0, byte(i), 1})
	}
	f.Fuzz(func(t *testing.T, after int64, doc []byte, place uint16, way byte, with []byte) {
		after = max(0, after)
		page, err := discovery.ParseEvents(spoil.JSON(doc, place, way, with), after)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		last := after
		for _, e := range page.Events {
			if e.ID <= last || e.Time < 0 || e.Time > 253_402_300_799 || e.Reason == "" || len(e.Reason) > 64 || len(e.Evidence) > 512 {
				t.Fatalf("took %+v after %d", e, last)
			}
			last = e.ID
		}
		if page.Next < last || len(page.Events) > discovery.MaxEvents {
			t.Errorf("took %d events and next %d after %d", len(page.Events), page.Next, last)
		}
	})
}
