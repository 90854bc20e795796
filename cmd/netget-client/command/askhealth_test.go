package command_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/cmd/netget-client/command"
	"github.com/neurons-me/netget/identity"
)

func manyServices(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("service-%d", i))
	}
	return names
}

func TestServicesAreAskedForAtThePaceOfARegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		underWay, most := 0, 0
		answered, err := command.AskHealth(t.Context(), manyServices(240), func(string) error {
			mu.Lock()
			underWay++
			most = max(most, underWay)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			underWay--
			mu.Unlock()
			return nil
		})
		if err != nil || answered != 240 {
			t.Fatalf("%d of 240 answers, error %v", answered, err)
		}
		if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("it took %s, want 10 s: 80 at once, and 16 a second", took)
		}
		if most != 8 {
			t.Errorf("%d questions were under way at once, want 8", most)
		}
	})
}

func TestServicesEndSoonWhereNothingIsAnswered(t *testing.T) {
	var asked atomic.Int64
	answered, err := command.AskHealth(t.Context(), manyServices(300_000), func(service string) error {
		if asked.Add(1); service == "service-3" {
			return nil
		}
		return identity.Refuse(identity.Incomplete, "a lie")
	})
	if got := identity.CodeOf(err); got != identity.Incomplete || answered > 1 {
		t.Errorf("%d answers, error %v of class %q; want that of the first", answered, err, got)
	}
	if asked.Load() > 40 {
		t.Errorf("%d questions, want no more than about 20", asked.Load())
	}
}
