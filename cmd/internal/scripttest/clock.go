package scripttest

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/cli"
)

// clockVar names the file that a program under test takes its time from.
const clockVar = "NETGET_TEST_CLOCK"

// A Clock is the time of programs that run as processes of their own: of those
// that are started with its [Clock.Env].
type Clock struct {
	t    *testing.T
	path string
}

// NewClock returns a clock that is in a file and goes with the system's.
func NewClock(t *testing.T, path string) *Clock {
	t.Helper()
	c := &Clock{t, path}
	c.Shift(0)
	return c
}

// Env returns the variable that gives a program this clock.
func (c *Clock) Env() string { return clockVar + "=" + c.path }

// Stop stands the clock at a Unix time.
func (c *Clock) Stop(at int64) { c.write(strconv.FormatInt(at, 10)) }

// Shift lets the clock go, so much before or after the system's.
func (c *Clock) Shift(by time.Duration) { c.write("shift " + by.String()) }

// write replaces the file, which is read at any time.
func (c *Clock) write(text string) {
	c.t.Helper()
	next := c.path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(next, c.path); err != nil {
		c.t.Fatal(err)
	}
}

// withClock gives a process the clock of its environment, if that names one.
func withClock(p cli.Process) cli.Process {
	if path := p.Getenv(clockVar); path != "" {
		p.Now = func() time.Time { return readClock(path) }
	}
	return p
}

// readClock panics on a clock that does not tell the time: no test can mean
// that.
func readClock(path string) time.Time {
	text, err := os.ReadFile(path) //nolint:gosec // the test says where its clock is
	if err != nil {
		panic(err)
	}
	if by, shifted := strings.CutPrefix(string(text), "shift "); shifted {
		d, err := time.ParseDuration(by)
		if err != nil {
			panic(err)
		}
		return time.Now().Add(d)
	}
	at, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		panic(err)
	}
	return time.Unix(at, 0)
}
