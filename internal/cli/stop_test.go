package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/internal/cli"
)

// stuck is a program whose command announces itself, if it is to, and returns
// when its channel is closed, whatever its context says.
func stuck(stdout, stderr io.Writer, announces bool) (p *cli.Program, release chan struct{}) {
	p = cli.New(cli.Process{Args: []string{"wait"}, Env: []string{"HOME=/nowhere"}, Stdout: stdout, Stderr: stderr},
		cli.Config{Name: "netget-test", Folder: "test", Short: "Test"})
	release = make(chan struct{})
	p.Root.AddCommand(&cobra.Command{Use: "wait", RunE: func(cmd *cobra.Command, _ []string) error {
		if announces {
			if err := p.Printer().Announce(cmd.Context(), cli.NewReady("netget-test", "127.0.0.1:1", "", nil)); err != nil {
				return err
			}
		}
		<-release
		return nil
	}})
	return p, release
}

// TestStuckCommandEndsWithTheFirstSignal stands for one that opens or reads a
// pipe that nobody writes.
func TestStuckCommandEndsWithTheFirstSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		p, release := stuck(&stdout, &stderr, false)
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		code := p.Run(ctx)
		if took := time.Since(began) - time.Minute; code != 130 || took > 10*time.Second {
			t.Errorf("got code %d, %s after the signal; want 130 within 10 s", code, took)
		}
		if want := "error: interrupted\nhint: "; !strings.HasPrefix(stderr.String(), want) {
			t.Errorf("got %q, want %q", stderr.String(), want)
		}
	})
}

func TestServerEndsInItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		p, release := stuck(&stdout, &stderr, true)
		time.AfterFunc(time.Hour, func() { close(release) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if code := p.Run(ctx); code != 0 || time.Since(began) != time.Hour {
			t.Errorf("got code %d after %s, want 0 when it is done", code, time.Since(began))
		}
	})
}

// TestServerWhoseReadyLineNobodyReadsEnds stands for one whose output is a pipe
// that is full.
func TestServerWhoseReadyLineNobodyReadsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		reader, stdout := io.Pipe()
		defer reader.Close() // ends the write that is left behind
		p, release := stuck(stdout, &stderr, true)
		close(release)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if code := p.Run(ctx); code != 0 || time.Since(began) != time.Minute {
			t.Errorf("got code %d after %s, want 0 with the signal: %s", code, time.Since(began), stderr.String())
		}
	})
}

var errFull = errors.New("no space left on device")

// full is a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	for _, args := range []string{
		"version", "version -o json", "version -o yaml", "--version", "--help", "help", "version --help", "completion bash", "completion fish", "wait",
	} {
		var stderr bytes.Buffer
		p, release := stuck(full{}, &stderr, true)
		close(release)
		p.Process.Args = strings.Fields(args)
		if code := p.Run(t.Context()); code != 1 || !strings.Contains(stderr.String(), errFull.Error()) {
			t.Errorf("%s: got code %d and %q, want 1 and why", args, code, stderr.String())
		}
	}
}
