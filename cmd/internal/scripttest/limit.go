package scripttest

import (
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// limit bounds the size of the files that a started process may write, as
// "ulimit -f" does: a full disk that needs no disk.
func limit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "limit NAME BYTES|none")
	bytes := NoLimit
	if args[1] != "none" {
		n, err := strconv.ParseUint(args[1], 10, 64)
		ts.Check(err)
		bytes = n
	}
	ts.Check(LimitFileSize(started(ts, args[0]).cmd.Process.Pid, bytes))
}

// NoLimit is the size of a file without a limit.
const NoLimit = ^uint64(0)

// retry runs a command until it ends with a code, about twice a second.
func retry(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "retry CODE COMMAND…")
	want := number(ts, args[0])
	tick, late := time.NewTicker(time.Second/2), time.After(patience)
	defer tick.Stop()
	for {
		got := exitCode(ts, ts.Exec(args[1], args[2:]...))
		if got == want {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s: exit code %d after %s, want %d", args[1], got, patience, want)
		}
	}
}
