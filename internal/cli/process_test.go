package cli_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/internal/cli"
)

func logCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{Use: "log", RunE: func(cmd *cobra.Command, _ []string) error {
		p.Logger().LogAttrs(cmd.Context(), slog.LevelDebug, "seen")
		p.Logger().LogAttrs(cmd.Context(), slog.LevelInfo, "done")
		return nil
	}}
}

func TestDefaultHome(t *testing.T) {
	for name, row := range map[string]struct {
		uid  int
		env  []string
		want cli.Home
	}{
		"root":                              {0, []string{"HOME=/root", "XDG_DATA_HOME=/data"}, "/var/lib/netget"},
		"a user with XDG_DATA_HOME":         {1000, []string{"HOME=/home/u", "XDG_DATA_HOME=/data"}, "/data/netget"},
		"a user":                            {1000, []string{"HOME=/home/u"}, "/home/u/.local/share/netget"},
		"a relative XDG_DATA_HOME is noise": {1000, []string{"HOME=/home/u", "XDG_DATA_HOME=data"}, "/home/u/.local/share/netget"},
		"nothing to go by":                  {1000, nil, ""},
	} {
		if got := cli.DefaultHome(cli.Process{UID: row.uid, Env: row.env}); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

func TestHomeFolders(t *testing.T) {
	h := cli.Home("/h")
	got := strings.Join([]string{h.CA(), h.Registry(), h.Client(), string(h.Dev()), h.Dev().CA(), cli.AdminSocket(h.CA())}, " ")
	if want := "/h/ca /h/registry /h/client /h/dev /h/dev/ca /h/ca/admin.sock"; got != want {
		t.Errorf("folders %s, want %s", got, want)
	}
}

func TestProgramHome(t *testing.T) {
	p := cli.New(cli.Process{UID: 1000}, cli.Config{Name: "x", Folder: "x"})
	if _, err := p.Home(); cli.Exit(err) != 2 {
		t.Errorf("no home at all: %v, want a usage error", err)
	}
}

func TestReadToken(t *testing.T) {
	file := write(t, "token", " eyJ.file \n")
	for name, row := range map[string]struct {
		arg, stdin, want string
		exit             int
	}{
		"itself":                   {"eyJ.arg", "", "eyJ.arg", 0},
		"standard input":           {"-", "eyJ.in\n", "eyJ.in", 0},
		"a file":                   {"@" + file, "", "eyJ.file", 0},
		"a file that is not there": {"@/nowhere", "", "", 2},
		"nothing":                  {"", "", "", 2},
		"empty standard input":     {"-", "\n", "", 2},
		"a token of 4 KiB":         {"-", strings.Repeat("a", 4096) + "\n", strings.Repeat("a", 4096), 0},
		"a longer token":           {"-", strings.Repeat("a", 4097), "", 2},
		"an endless one":           {"-", strings.Repeat("a", 1<<20), "", 2},
	} {
		got, err := cli.Process{Stdin: strings.NewReader(row.stdin)}.ReadToken(row.arg)
		if got != row.want || cli.Exit(err) != row.exit {
			t.Errorf("%s: %.20q, %v; want %.20q, exit %d", name, got, err, row.want, row.exit)
		}
	}
}

func TestPassphrase(t *testing.T) {
	one, other, empty := write(t, "one", "of file\r\n"), write(t, "other", " kept \n"), write(t, "empty", "\n")
	for name, row := range map[string]struct {
		args, env, typed []string
		isNew            bool
		want             string
		exit             int
	}{
		"the file on the command line is first":    {[]string{"--passphrase-file", one}, []string{"NETGET_PASSPHRASE=env"}, nil, false, "of file", 0},
		"then the variable":                        {nil, []string{"NETGET_PASSPHRASE=env", "NETGET_PASSPHRASE_FILE=" + one}, nil, false, "env", 0},
		"then the file of the environment":         {nil, []string{"NETGET_PASSPHRASE_FILE=" + other}, nil, false, " kept ", 0},
		"then the terminal":                        {nil, nil, []string{"typed"}, false, "typed", 0},
		"a new one is typed twice":                 {nil, nil, []string{"typed", "typed"}, true, "typed", 0},
		"a new one with a slip is refused":         {nil, nil, []string{"typed", "tpyed"}, true, "", 2},
		"an empty answer is refused":               {nil, nil, []string{""}, false, "", 2},
		"nothing and no terminal is usage at once": {nil, nil, nil, false, "", 2},
		"an empty file is usage":                   {[]string{"--passphrase-file", empty}, nil, nil, false, "", 2},
		"a file that is not there is usage":        {[]string{"--passphrase-file", "/nowhere"}, nil, nil, false, "", 2},
	} {
		process := cli.Process{Args: append([]string{"ask"}, row.args...), Env: append(row.env, "HOME=/nowhere"), UID: 1, Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}
		if row.typed != nil {
			process.Prompt = func(context.Context, string) ([]byte, error) {
				answer := row.typed[0]
				row.typed = row.typed[1:]
				return []byte(answer), nil
			}
		}
		p := cli.New(process, cli.Config{Name: "x", Folder: "x"})
		var file, got string
		ask := &cobra.Command{Use: "ask", RunE: func(cmd *cobra.Command, _ []string) error {
			secret, err := p.Passphrase(cmd.Context(), file, row.isNew)
			got = string(secret)
			return err
		}}
		ask.Flags().StringVar(&file, cli.PassphraseFlag, "", "")
		p.Root.AddCommand(ask)
		if code := p.Run(t.Context()); code != row.exit || got != row.want {
			t.Errorf("%s: %q, code %d; want %q, %d", name, got, code, row.want, row.exit)
		}
		if len(row.typed) > 0 {
			t.Errorf("%s: not asked for %q", name, row.typed)
		}
	}
}

func TestSignals(t *testing.T) {
	ch := make(chan os.Signal, 2)
	exits := make(chan int, 1)
	ctx, stop := cli.Signals(t.Context(), ch, func(code int) { exits <- code })
	ch <- syscall.SIGTERM
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("after the first signal: %v", ctx.Err())
	}
	ch <- syscall.SIGTERM
	if code := <-exits; code != 130 {
		t.Errorf("after the second signal: exit %d, want 130", code)
	}
	stop()
	stop()
}

func TestSignalsStop(t *testing.T) {
	ctx, stop := cli.Signals(t.Context(), make(chan os.Signal, 2), func(int) { t.Error("exit without a signal") })
	stop()
	if ctx.Err() == nil {
		t.Error("the context outlives stop")
	}
}

func TestComplete(t *testing.T) {
	var stdout bytes.Buffer
	home := t.TempDir()
	p := cli.New(cli.Process{Args: []string{"__complete", "show", ""}, Env: []string{"NETGET_HOME=" + home}, Stdout: &stdout, Stderr: &bytes.Buffer{}}, cli.Config{Name: "x", Folder: "x"})
	p.Root.AddCommand(&cobra.Command{
		Use: "show", RunE: func(*cobra.Command, []string) error { return nil },
		ValidArgsFunction: p.Complete(func(context.Context) ([]string, error) {
			h, err := p.Home()
			return []string{filepath.Base(string(h))}, err
		}),
	})
	if code := p.Run(t.Context()); code != 0 || !strings.HasPrefix(stdout.String(), filepath.Base(home)+"\n") {
		t.Errorf("code %d, %q; want the home that the environment names", code, stdout.String())
	}
}
