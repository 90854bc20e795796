package main_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// How many nodes register until the registry is killed. A registry takes ten
// records of a node at once, so a round with n nodes lasts for at least 20·n
// moments of an attack.
const (
	fewCrashNodes  = 8
	manyCrashNodes = 128
)

// A crashWorld is a network whose registry is killed over and over.
type crashWorld struct {
	*drillWorld
	nodes   []*crashNode
	watcher *identity.Source
	marks   *discovery.Marks // the watcher's
	newest  int64            // version of the newest head that anybody has verified
}

// newCrashWorld enrols a registry, which is running then, nodes and a watcher.
func newCrashWorld(t *testing.T, store string) *crashWorld {
	t.Helper()
	nodes := fewCrashNodes
	if testdrill.Full(t) {
		nodes = manyCrashNodes
	}
	w := &crashWorld{drillWorld: newDrillWorld(t), marks: discovery.NewMarks()}
	w.store = store
	w.start(t)
	for i := range nodes {
		source := w.enrolNamed(t, crashServices()[i%len(crashServices())], fmt.Sprintf("n-%d", i))
		w.nodes = append(w.nodes, &crashNode{source: source, marks: discovery.NewMarks()})
	}
	w.watcher = w.enrolNamed(t, "client", "watcher")
	return w
}

func crashServices() []string { return []string{"databaseservice", "cacheservice"} }

// verify asks the registry for all nodes, as a client that has met it before,
// and returns the version of the answers and how many nodes are missing, or
// listed with less than what was acknowledged.
func (w *crashWorld) verify(t *testing.T) (version int64, missing int) {
	t.Helper()
	client := w.newDiscovery(t, w.watcher, w.marks, time.Now)
	defer client.Close()
	for _, n := range w.nodes {
		w.newest = max(w.newest, n.version)
	}
	found := map[string]*discovery.Found{}
	for _, service := range crashServices() {
		f, err := patiently(t.Context(), client, service)
		if err != nil {
			t.Fatalf("discovering %s after the kill: %v\n%s", service, err, w.registry.finalLog())
		}
		for _, out := range f.LeftOut {
			t.Errorf("%s was left out: %s", out.ID, out.Code)
		}
		found[service], version = f, f.Registries[0].Head.Version
		if version < w.newest {
			t.Errorf("the registry is at version %d, a head of version %d was seen", version, w.newest)
		}
	}
	for _, n := range w.nodes {
		if !n.isKeptBy(found[n.source.Identity().ID().Service()]) {
			missing++
			t.Errorf("%s: (%d, %d) was acknowledged and is not there", n.acknowledged.Node(), n.acknowledged.Epoch(), n.acknowledged.Sequence())
		}
	}
	w.newest = max(w.newest, version)
	return version, missing
}
