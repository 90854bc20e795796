package scripttest

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// An output collects what a process prints, and sends on its ready line.
type output struct {
	ready chan<- string // room for one; the line may be on either stream

	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
	seen int          // bytes of whole lines already looked at; guarded by mu
}

// Write collects b.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	for {
		line, _, whole := strings.Cut(o.text.String()[o.seen:], "\n")
		if !whole {
			return len(b), nil
		}
		o.seen += len(line) + 1
		if isReady(line) {
			select {
			case o.ready <- line:
			default: // only the first counts
			}
		}
	}
}

// String returns all that was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func isReady(line string) bool {
	var object struct{ Ready bool }
	return strings.HasPrefix(line, "ready: ") || json.Unmarshal([]byte(line), &object) == nil && object.Ready
}

// announce hands the ready line on to the script.
func announce(ts *testscript.TestScript, name, line string) {
	ts.Check(os.WriteFile(ts.MkAbs(name+".ready"), []byte(line+"\n"), 0o600))
	var object struct{ Address, Ops string }
	if json.Unmarshal([]byte(line), &object) != nil {
		found := regexp.MustCompile(`^ready: \S+ on (\S+?),?(?: \(operations (\S+)\))?(?:,| |$)`).FindStringSubmatch(line)
		if found != nil {
			object.Address, object.Ops = found[1], found[2]
		}
	}
	ts.Setenv(name, object.Address)
	ts.Setenv(name+"_OPS", object.Ops)
}
