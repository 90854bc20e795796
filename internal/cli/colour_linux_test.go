package cli_test

import (
	"fmt"
	"io"
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

// shownAt returns what a terminal has shown so far. The kernel hands that on in
// pieces: so a mark is shown after it, and read for.
func shownAt(t *testing.T, master io.Reader, slave io.Writer) (text string) {
	t.Helper()
	const mark = "<the end>"
	if _, err := io.WriteString(slave, mark); err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 4096); !strings.HasSuffix(text, mark); {
		n, err := master.Read(piece)
		if err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		text += string(piece[:n])
	}
	return strings.TrimSuffix(text, mark)
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
			text := shownAt(t, master, slave)
			if got := strings.Contains(text, "\x1b["); got != row.want {
				t.Errorf("colours %t, want %t: %q", got, row.want, text)
			}
		})
	}
}
