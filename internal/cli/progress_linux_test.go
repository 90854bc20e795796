package cli_test

import (
	"bytes"
	"testing"

	"github.com/neurons-me/netget/internal/cli"
)

func TestProgressIsForTerminalsAlone(t *testing.T) {
	master, slave := terminal(t)
	work(cli.Process{Stderr: slave})
	if got, want := shownAt(t, master, slave), "\r1 of 2 services\r2 of 2 services\r\x1b[K"; got != want {
		t.Errorf("a terminal got %q, want %q", got, want)
	}
	var file bytes.Buffer
	if work(cli.Process{Stderr: &file}); file.Len() > 0 {
		t.Errorf("a file got %q", file.String())
	}
}

func work(process cli.Process) {
	progress := cli.New(process, cli.Config{Name: "netget-test"}).Progress(2, "services")
	progress.Step()
	progress.Step()
	progress.End()
}
