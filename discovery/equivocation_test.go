package discovery_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/neurons-me/netget/identity"
)

// Two registries show different records for one place, and both answers are opened
// before anything of either is remembered: whoever opens one asks for the network's
// bundle next, and the labs hold that back until both are asked.
func TestEquivocationThatTwoAnswersShowAtOnceTellsItsPlaceAndLatestIssue(t *testing.T) {
	s := newSetup("north", "south")
	one, other := newNode(s.ca, "db-1", start), newNode(s.ca, "db-1", start)
	other.record.IAT, other.record.Exp = other.record.IAT-9, other.record.Exp-9
	other.sign(s.ca)
	var opened sync.WaitGroup
	var addresses []string
	for name, node := range map[string]*dbNode{"north": one, "south": other} {
		l := newLab(s.ca, s.clock, name)
		l.crls = [][]byte{s.ca.CRL(start.Unix())}
		l.commit(node)
		opened.Add(1)
		meet := sync.OnceFunc(func() { opened.Done(); opened.Wait() })
		l.edit = func(path string, _ int64, doc []byte) (int, []byte) {
			if path != "/v1/bundle" {
				return http.StatusOK, doc
			}
			meet()
			return http.StatusServiceUnavailable, nil
		}
		addresses = append(addresses, l.serve(t))
	}
	found, err := s.client(t, both, addresses...).Discover(t.Context(), service)
	if err != nil || len(found.Nodes) != 0 || len(found.LeftOut) != 1 || found.LeftOut[0].Code != identity.Equivocation {
		t.Fatalf("got nodes %q, left out %v, error %v; want one node that equivocates", names(found.Nodes), found.LeftOut, err)
	}
	if epoch, sequence, iat := found.LeftOut[0].Place(); epoch != one.record.Epoch || sequence != 1 || iat != one.record.IAT {
		t.Errorf("got epoch %d, sequence %d, issued at %d; want %d, 1, %d", epoch, sequence, iat, one.record.Epoch, one.record.IAT)
	}
}
