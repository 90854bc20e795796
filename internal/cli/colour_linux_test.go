package cli_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/neurons-me/netget/internal/cli"
)

// terminal returns both ends of a new pseudo-terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

func TestTerminalShowsColoursUnlessNobodyWantsThem(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		env  []string
		want bool
	}{
		"by itself":                     {nil, []string{"TERM=xterm"}, true},
		"NO_COLOR":                      {nil, []string{"TERM=xterm", "NO_COLOR=1"}, false},
		"an empty NO_COLOR":             {nil, []string{"NO_COLOR="}, true},
		"a terminal that has none":      {nil, []string{"TERM=dumb"}, false},
		"--color never":                 {[]string{"--color", "never"}, nil, false},
		"--color always above NO_COLOR": {[]string{"--color", "always"}, []string{"NO_COLOR=1"}, true},
		"JSON":                          {[]string{"-o", "json"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := terminal(t)
			show(t, cli.Process{Stdout: slave, Stderr: os.Stderr, Env: row.env}, row.args...)
			text := make([]byte, 4096)
			n, err := master.Read(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(text[:n]), "\x1b["); got != row.want {
				t.Errorf("colours %t, want %t: %q", got, row.want, text[:n])
			}
		})
	}
}
