package cli_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/internal/cli"
)

// A traffic table has a status in its second column.
type traffic struct{}

func (traffic) Names() []string { return []string{"down"} }

func (traffic) Table() cli.Table {
	return cli.Table{
		Header: []string{"NODE", "STATUS", "WHY"},
		Rows:   [][]string{{"down", "up", ""}, {"b-long", "down", "up"}, {"c", "suspect", "x"}},
		Colour: func(column int, cell string) cli.Colour {
			colours := map[string]cli.Colour{"up": cli.Green, "suspect": cli.Yellow, "down": cli.Red}
			if column != 1 {
				return cli.Plain
			}
			return colours[cell]
		},
	}
}

// show runs a command that prints a traffic table to w.
func show(t *testing.T, p cli.Process, args ...string) {
	t.Helper()
	p.Args = append([]string{"show", "--home", t.TempDir()}, args...)
	program := cli.New(p, cli.Config{Name: "netget-test", Folder: "client"})
	program.Root.AddCommand(&cobra.Command{Use: "show", RunE: func(*cobra.Command, []string) error {
		if strings.Contains(strings.Join(args, " "), "-o name") {
			return program.Printer().PrintLine(traffic{})
		}
		return program.Printer().Print(traffic{})
	}})
	if exit := program.Run(context.Background()); exit != cli.ExitOK {
		t.Fatalf("exit %d", exit)
	}
}

const plainTraffic = "NODE    STATUS   WHY\ndown    up       \nb-long  down     up\nc       suspect  x\n"

func TestTablesAreColouredWhenAskedAndKeepTheirColumns(t *testing.T) {
	var out bytes.Buffer
	show(t, cli.Process{Stdout: &out, Stderr: os.Stderr}, "--color", "always")
	want := "NODE    STATUS   WHY\ndown    \x1b[32mup\x1b[0m       \nb-long  \x1b[31mdown\x1b[0m     up\nc       \x1b[33msuspect\x1b[0m  x\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestOutputThatNoTerminalShowsIsPlain(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	show(t, cli.Process{Stdout: file, Stderr: os.Stderr})
	got, err := os.ReadFile(file.Name())
	if err != nil || string(got) != plainTraffic {
		t.Errorf("a file has %q, error %v; want %q", got, err, plainTraffic)
	}
	for name, row := range map[string]struct {
		args []string
		env  []string
	}{
		"no terminal": {nil, nil}, "never": {[]string{"--color", "never"}, nil}, "by the environment": {nil, []string{"NETGET_COLOR=never"}},
		"JSON": {[]string{"--color", "always", "-o", "json"}, nil}, "YAML": {[]string{"--color", "always", "-o", "yaml"}, nil},
		"names": {[]string{"--color", "always", "-o", "name"}, nil},
	} {
		var out bytes.Buffer
		show(t, cli.Process{Stdout: &out, Stderr: os.Stderr, Env: row.env}, row.args...)
		if strings.Contains(out.String(), "\x1b") || out.Len() == 0 {
			t.Errorf("%s: got %q, want it without colours", name, out.String())
		}
	}
}
