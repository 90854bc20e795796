package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A Version says which build a program is.
type Version struct {
	Program  string `json:"program"`
	Version  string `json:"version"`  // module version, "(devel)" if unknown
	Commit   string `json:"commit"`   // "" if unknown
	Modified bool   `json:"modified"` // built from a changed tree
	Go       string `json:"go"`
	Platform string `json:"platform"` // such as "linux/amd64"
}

// ReadVersion returns the version of the running program from what the Go
// tool put into it.
func ReadVersion(program string) Version {
	v := Version{
		Program: program, Version: "(devel)", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if build.Main.Version != "" {
		v.Version = build.Main.Version
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String returns the version on one line.
func (v Version) String() string {
	line := v.Program + " " + v.Version
	if v.Commit != "" {
		line += " commit " + v.Commit
	}
	return line + " (" + v.Go + " " + v.Platform + ")"
}

// Names returns the version itself.
func (v Version) Names() []string { return []string{v.Version} }

// Table returns the line of String.
func (v Version) Table() Table { return Table{Rows: [][]string{{v.String()}}} }

func (p *Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: "  " + p.config.Name + " version -o json",
		RunE: func(*cobra.Command, []string) error {
			return p.Printer().Print(ReadVersion(p.config.Name))
		},
	}
}
