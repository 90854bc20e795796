package cli

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// A Config says what program it is.
type Config struct {
	Name   string // "netget-ca"
	Folder string // its folder in the home: "ca", "registry" or "client"
	Short  string // one line for --help
	Long   string // paragraphs for --help, optional
}

// A Program is the root command with the flags that all programs share. Add
// commands to Root, then call [Program.Run] once. The commands get their
// values bound before they run (docs/architecture.md, "Files and
// configuration"); read Home, Printer and Logger there, not earlier.
type Program struct {
	Root    *cobra.Command
	Process Process

	config     Config
	typed      map[string]bool // flags given on the command line
	lasts      atomic.Bool     // a long-running command has announced itself: it ends in its own time
	help       helpWriter      // what cobra prints
	home       string
	configFile string
	output     string
	logFormat  string
	logLevel   string
	colour     string
}

// New returns a program with the commands version and, from cobra, completion
// and help.
func New(process Process, config Config) *Program {
	p := &Program{Process: process, config: config}
	p.Root = &cobra.Command{
		Use: config.Name, Short: config.Short, Long: config.Long,
		Version: ReadVersion(config.Name).String(),
		Args:    cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          func(cmd *cobra.Command, _ []string) error { return p.bind(cmd) },
	}
	p.Root.SetVersionTemplate("{{.Version}}\n")
	flags := p.Root.PersistentFlags()
	flags.StringVar(&p.home, "home", "", "folder of all netget programs (default: /var/lib/netget for root, else netget in $XDG_DATA_HOME)")
	flags.StringVar(&p.configFile, "config", "", "YAML file with values for flags (default: config.yaml in the program's folder, if there is one)")
	Choice(p.Root, flags, &p.output, "output", "o", "form of the output", FormatTable, FormatJSON, FormatYAML, FormatName)
	Choice(p.Root, flags, &p.colour, "color", "", "colours in tables; auto: on a terminal, unless NO_COLOR is set", colourAuto, colourAlways, colourNever)
	Choice(p.Root, flags, &p.logFormat, "log-format", "", "form of the log on standard error", "text", "json")
	Choice(p.Root, flags, &p.logLevel, "log-level", "", "least level that is logged", "info", "debug", "warn", "error")
	p.Root.AddCommand(p.versionCommand())
	return p
}

// Home returns the home in force, as an absolute path. It returns a usage
// error if there is none.
func (p *Program) Home() (Home, error) {
	home := Home(p.home)
	if home == "" {
		home = DefaultHome(p.Process)
	}
	if home == "" {
		return "", Hint(Usage("no home folder: neither XDG_DATA_HOME nor HOME is set"), "give --home DIR or NETGET_HOME")
	}
	abs, err := filepath.Abs(string(home))
	if err != nil {
		return "", Usage("home folder %s: %w", home, err)
	}
	return Home(abs), nil
}

// Printer returns the printer to standard output in the format of -o.
func (p *Program) Printer() *Printer {
	return &Printer{p.Process.Stdout, p.output, p.colours(p.Process.Stdout), &p.lasts}
}

// StderrPrinter is like Printer, for what must not mix with the output of a
// command that runs for the user.
func (p *Program) StderrPrinter() *Printer {
	return &Printer{p.Process.Stderr, p.output, p.colours(p.Process.Stderr), &p.lasts}
}

// Output returns the format of -o.
func (p *Program) Output() string { return p.output }

// Logger returns a logger to standard error as --log-format and --log-level
// say. Times are in UTC.
func (p *Program) Logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: level(p.logLevel), ReplaceAttr: utc}
	if p.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.Process.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.Process.Stderr, options))
}

func level(word string) slog.Level {
	switch word {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

func utc(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC().Truncate(time.Millisecond))
	}
	return a
}
