package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// A ran is what a program left behind.
type ran struct {
	code           int
	stdout, stderr string
}

// values are the flags of the test program's command "work".
type values struct {
	Address  string
	URLs     []string
	Life     time.Duration
	Plain    bool
	Store    string
	Metadata []string
}

// run runs a program with the commands work, fail and group one; got receives
// what work was given, and fail returns failure.
func run(ctx context.Context, t *testing.T, process cli.Process, failure error) (ran, values) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	process.Stdout, process.Stderr, process.UID = &stdout, &stderr, 1000
	process.Env = append([]string{"HOME=" + filepath.Join(t.TempDir(), "user")}, process.Env...)
	p := cli.New(process, cli.Config{Name: "netget-test", Folder: "test", Short: "Test"})
	var v values
	work := &cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }}
	flags := work.Flags()
	flags.StringVar(&v.Address, "address", "127.0.0.1:1", "")
	flags.StringArrayVar(&v.URLs, "url", []string{"https://default"}, "")
	flags.DurationVar(&v.Life, "leaf-life", 24*time.Hour, "")
	flags.BoolVar(&v.Plain, "no-passphrase", false, "")
	flags.StringVar(&v.Store, "store", "", "")
	flags.StringArrayVar(&v.Metadata, "meta", nil, "")
	cli.Secret(flags, "store")
	fail := &cobra.Command{Use: "fail [WHAT]", Args: cobra.MaximumNArgs(1), RunE: func(*cobra.Command, []string) error { return failure }}
	must := &cobra.Command{Use: "must", Args: cobra.NoArgs, RunE: fail.RunE}
	must.Flags().String("network", "", "")
	if err := must.MarkFlagRequired("network"); err != nil {
		t.Fatal(err)
	}
	group := &cobra.Command{Use: "group"}
	group.AddCommand(&cobra.Command{Use: "one", RunE: fail.RunE})
	p.Root.AddCommand(work, fail, must, group)
	code := p.Run(ctx)
	return ran{code, stdout.String(), stderr.String()}, v
}

func runArgs(t *testing.T, failure error, args ...string) ran {
	t.Helper()
	got, _ := run(t.Context(), t, cli.Process{Args: args}, failure)
	return got
}

func TestRunPrintsErrors(t *testing.T) {
	for name, row := range map[string]struct {
		args    []string
		failure error
		want    ran
	}{
		"two lines for a person": {
			[]string{"fail"},
			cli.Hint(cli.Usage("no address"), "give --address"),
			ran{2, "", "error: no address\nhint: give --address\n"},
		},
		"one line with -o json": {
			[]string{"fail", "-o", "json"},
			cli.Hint(identity.Refuse(identity.Rollback, "version 3 < 4"), "ask <another>"),
			ran{6, "", `{"error":{"code":"rollback","exit":6,"message":"rollback: version 3 < 4","hint":"ask <another>"}}` + "\n"},
		},
		"nothing for the code of a command that was run": {
			[]string{"fail"}, cli.StatusError(7), ran{code: 7},
		},
		"an unknown flag is usage": {
			[]string{"work", "--bogus"},
			nil,
			ran{2, "", "error: unknown flag: --bogus\nhint: run 'netget-test work --help'\n"},
		},
		"an unknown flag is usage in JSON too": {
			[]string{"work", "--bogus", "-o", "json"},
			nil,
			ran{2, "", `{"error":{"code":"usage","exit":2,"message":"unknown flag: --bogus","hint":"run 'netget-test work --help'"}}` + "\n"},
		},
		"an unknown flag of the program suggests no command": {
			[]string{"--bogus"},
			nil,
			ran{2, "", "error: unknown flag: --bogus\nhint: run 'netget-test --help'\n"},
		},
		"an unknown command is usage": {
			[]string{"wor"},
			nil,
			ran{2, "", "error: unknown command \"wor\" for \"netget-test\"\nhint: did you mean 'netget-test work'? run 'netget-test --help'\n"},
		},
		"too many arguments are usage": {
			[]string{"fail", "a", "b"},
			nil,
			ran{2, "", "error: accepts at most 1 arg(s), received 2\nhint: run 'netget-test fail --help'\n"},
		},
		"a missing flag is usage": {
			[]string{"must"},
			nil,
			ran{2, "", "error: required flag(s) \"network\" not set\nhint: run 'netget-test must --help'\n"},
		},
		"a group without command is usage": {
			[]string{"group"},
			nil,
			ran{2, "", "error: \"netget-test group\" needs a command\nhint: use one of: one\n"},
		},
		"an unknown command of a group is usage": {
			[]string{"group", "two"},
			nil,
			ran{2, "", "error: unknown command \"two\" for \"netget-test group\"\nhint: use one of: one\n"},
		},
		"a word that is no format is usage": {
			[]string{"work", "-o", "xml"},
			nil,
			ran{2, "", "error: invalid argument \"xml\" for \"-o, --output\" flag: must be one of table, json, yaml, name\nhint: run 'netget-test work --help'\n"},
		},
		"an error of a command that looks like cobra's is a failure": {
			[]string{"fail"},
			errors.New("unknown command"),
			ran{1, "", "error: unknown command\nhint: the log has the details; run again with --log-level debug\n"},
		},
		"success is silent": {[]string{"fail"}, nil, ran{}},
	} {
		if got := runArgs(t, row.failure, row.args...); got != row.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, row.want)
		}
	}
}

func TestRunWhenCut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		failure error
		want    int
	}{
		"the context's own error":           {context.Canceled, 130},
		"an answer that was not waited for": {identity.Refuse(identity.Unavailable, "no answer"), 130},
		"a failure of its own":              {syscall.ENOSPC, 1},
		"a stop that was asked for":         {cli.Stopped(ctx, context.Canceled), 0},
	} {
		if got, _ := run(ctx, t, cli.Process{Args: []string{"fail"}}, row.failure); got.code != row.want {
			t.Errorf("%s: code %d, want %d", name, got.code, row.want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string // in stdout
	}{
		"the program alone shows its help": {nil, "Usage:"},
		"--help":                           {[]string{"work", "--help"}, "--leaf-life"},
		"--version":                        {[]string{"--version"}, "netget-test "},
		"version":                          {[]string{"version"}, "netget-test "},
		"completion":                       {[]string{"completion", "bash"}, "netget-test"},
		"values of -o":                     {[]string{"__complete", "work", "-o", ""}, "table\njson\nyaml\nname\n"},
	} {
		got := runArgs(t, nil, row.args...)
		if got.code != 0 || !strings.Contains(got.stdout, row.want) {
			t.Errorf("%s: %+v, want %q in stdout", name, got, row.want)
		}
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(runArgs(t, nil, "version", "-o", "json").stdout), &v); err != nil || v["program"] != "netget-test" {
		t.Errorf("version -o json: %v, %v", v, err)
	}
}

func TestBind(t *testing.T) {
	const file = "address: file:1\nurl: [https://a, https://b]\nleaf-life: 48h\nno-passphrase: true\nmeta: {zone: eu, tags: 'a,b'}\n"
	secret := write(t, "secret", "postgres://secret\n")
	for name, row := range map[string]struct {
		args, env []string
		file      string
		want      values
	}{
		"defaults": {want: values{Address: "127.0.0.1:1", URLs: []string{"https://default"}, Life: 24 * time.Hour}},
		"the file beats defaults": {
			file: file,
			want: values{"file:1", []string{"https://a", "https://b"}, 48 * time.Hour, true, "", []string{"zone=eu", "tags=a,b"}},
		},
		"the environment beats the file": {
			env:  []string{"NETGET_ADDRESS=env:1", "NETGET_URL=https://c,https://d", "NETGET_LEAF_LIFE=1h", "NETGET_NO_PASSPHRASE=false", "NETGET_META=tags=x,y\nzone=us"},
			file: file,
			want: values{"env:1", []string{"https://c", "https://d"}, time.Hour, false, "", []string{"tags=x,y", "zone=us"}},
		},
		"flags beat the environment": {
			args: []string{"--address", "flag:1", "--url", "https://e", "--url", "https://f"},
			env:  []string{"NETGET_ADDRESS=env:1", "NETGET_URL=https://c", "NETGET_LEAF_LIFE="},
			want: values{Address: "flag:1", URLs: []string{"https://e", "https://f"}, Life: 24 * time.Hour},
		},
		"a secret's file": {
			env:  []string{"NETGET_STORE_FILE=" + secret, "NETGET_ADDRESS_FILE=" + secret},
			file: "store: sqlite:///x\nurl: https://one,two\n",
			want: values{Address: "127.0.0.1:1", URLs: []string{"https://one,two"}, Life: 24 * time.Hour, Store: "postgres://secret"},
		},
		"a secret's variable beats its file": {
			env:  []string{"NETGET_STORE_FILE=" + secret, "NETGET_STORE=postgres://variable"},
			want: values{Address: "127.0.0.1:1", URLs: []string{"https://default"}, Life: 24 * time.Hour, Store: "postgres://variable"},
		},
	} {
		args := append([]string{"work"}, row.args...)
		if row.file != "" {
			args = append(args, "--config", write(t, "c.yaml", row.file))
		}
		got, v := run(t.Context(), t, cli.Process{Args: args, Env: row.env}, nil)
		if got.code != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if diff := cmp.Diff(row.want, v); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBindDefaultFile(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "test"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "test", "config.yaml"), []byte("address: home:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, v := run(t.Context(), t, cli.Process{Args: []string{"work"}, Env: []string{"NETGET_HOME=" + home}}, nil); v.Address != "home:1" {
		t.Errorf("address %q, want that of config.yaml in the program's folder", v.Address)
	}
}

func TestBindRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		file string
		env  []string
		want string // in stderr
	}{
		"an unknown key":                    {file: "adr: x\n", want: `unknown key "adr"`},
		"an unknown key, naming the others": {file: "adr: x\n", want: "hint: known keys: address, "},
		"a flag that is not an option":      {file: "help: true\n", want: `unknown key "help"`},
		"a bad value in the file":           {file: "leaf-life: soon\n", want: ":1: leaf-life: "},
		"a list for one value":              {file: "address: [a, b]\n", want: "takes one value"},
		"a key without value":               {file: "address:\n", want: "has no value"},
		"a nested value":                    {file: "url: [[a]]\n", want: "nested too deep"},
		"the same key twice":                {file: "address: a\naddress: b\n", want: "already defined"},
		"two documents":                     {file: "address: a\n---\naddress: b\n", want: "more than one document"},
		"a bad value in the environment":    {env: []string{"NETGET_LEAF_LIFE=soon"}, want: "NETGET_LEAF_LIFE: "},
		"a secret's file that is not there": {env: []string{"NETGET_STORE_FILE=/nowhere"}, want: "NETGET_STORE_FILE"},
		"a configuration that is not there": {env: []string{"NETGET_CONFIG=/nowhere"}, want: "reading the configuration"},
	} {
		args := []string{"work"}
		if row.file != "" {
			args = append(args, "--config", write(t, "c.yaml", row.file))
		}
		got, _ := run(t.Context(), t, cli.Process{Args: args, Env: row.env}, nil)
		if got.code != 2 || !strings.Contains(got.stderr, row.want) {
			t.Errorf("%s: %+v, want code 2 and %q", name, got, row.want)
		}
	}
}

// TestBindRefusesWhatOthersMayChange gives everybody the right to write a file
// that decides what the program does.
func TestBindRefusesWhatOthersMayChange(t *testing.T) {
	open := func(name, text string) string {
		path := write(t, name, text)
		if err := os.Chmod(path, 0o646); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, process := range map[string]cli.Process{
		"a configuration": {Args: []string{"work", "--config", open("c.yaml", "address: a:1\n")}},
		"a secret's file": {Args: []string{"work"}, Env: []string{"NETGET_STORE_FILE=" + open("store", "postgres://secret\n")}},
	} {
		got, v := run(t.Context(), t, process, nil)
		if got.code != 2 || !strings.Contains(got.stderr, "has mode 0646") || !strings.Contains(got.stderr, "hint: leave the file to its owner alone") || v.Address != "127.0.0.1:1" || v.Store != "" {
			t.Errorf("%s: %+v, %+v", name, got, v)
		}
	}
}

func TestBindBoundsTheFilesThatItReads(t *testing.T) {
	for name, process := range map[string]cli.Process{
		"a configuration": {Args: []string{"work", "--config", write(t, "c.yaml", strings.Repeat("#\n", 1<<20))}},
		"a secret's file": {Args: []string{"work"}, Env: []string{"NETGET_STORE_FILE=" + write(t, "store", strings.Repeat("x", 9<<10))}},
	} {
		if got, _ := run(t.Context(), t, process, nil); got.code != 2 || !strings.Contains(got.stderr, "longer than") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// write makes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
