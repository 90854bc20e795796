// Package scripttest runs the programs as their users do: as processes that a
// script starts, stops, kills and asks, one script for each theme.
//
// A package of tests names the programs that its scripts use, which are then
// this very test binary under another name, so that the race detector sees
// them too:
//
//	func TestMain(m *testing.M) {
//		scripttest.Main(m, map[string]func(cli.Process) *cli.Program{"netget-ca": command.New})
//	}
//
//	func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }
//
// A script is a file of github.com/rogpeppe/go-internal/testscript. Every
// script has a home of its own ($NETGET_HOME), and beside the commands of
// testscript these:
//
//	exits CODE COMMAND…      run a command, which must end with this code
//	error MESSAGE HINT       the last standard error is exactly the two lines
//	                         error: and hint:, which match these expressions
//	[!] json FILE PATH [OP VALUE]
//	                         look into JSON (also stdout, stderr): .a.b[0].c,
//	                         [-1] is the last; OP is ==, !=, ~ (expression) or len
//	jsonenv NAME FILE PATH   keep a value of JSON in the variable $NAME
//	start NAME COMMAND…      start a long-running command and wait for its ready
//	                         line, which goes to the file NAME.ready; $NAME
//	                         becomes its address, ${NAME}_OPS its operations URL
//	signal NAME SIGNAL       send it INT, TERM, HUP or KILL
//	ended NAME CODE          wait for its end with this code; what it printed is
//	                         in NAME.stdout and NAME.stderr
//	end NAME SIGNAL CODE     signal, then ended; a killed process has code -1
//	get URL STATUS           GET over plain HTTP; the body is in stdout
//	mode FILE MODE           the file has this mode, such as 0600
//	occupy NAME              keep a free port, and its address in $NAME
//	connect ADDRESS NAME     hold a TLS connection to NAME that says nothing
//	limit NAME BYTES|none    bound the size of files that a process may write;
//	                         further writes fail as on a full disk (Linux)
//	retry CODE COMMAND…      run a command until it ends with this code
//
// Nothing waits for time to pass: what starts says when it is ready, and ports
// are 0. A [Clock] is the time of programs, where a test wants to say it.
package scripttest

import (
	"errors"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/neurons-me/netget/cmd/internal/program"
	"github.com/neurons-me/netget/internal/cli"
)

// Main runs the tests, or one of the programs when a script has started it. It
// does not return.
func Main(m *testing.M, programs map[string]func(cli.Process) *cli.Program) {
	commands := map[string]func(){environmentCommand: printEnvironment}
	for name, build := range programs {
		commands[name] = func() {
			program.Main(func(p cli.Process) *cli.Program { return build(withClock(p)) })
		}
	}
	testscript.Main(m, commands)
}

// Run runs every script of a folder, several at a time.
func Run(t *testing.T, dir string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir, Setup: setUp, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"error":   reported,
			"json":    matchJSON,
			"jsonenv": keepJSON,
			"start":   start,
			"signal":  sendSignal,
			"ended":   ended,
			"end":     end,
			"get":     get,
			"mode":    mode,
			"occupy":  occupy,
			"connect": connect,
			"limit":   limit,
			"retry":   retry,
		},
	})
}

func setUp(e *testscript.Env) error {
	e.Setenv("NETGET_HOME", e.WorkDir+"/home")
	running := &processes{byName: map[string]*process{}}
	e.Values[processesKey{}] = running
	e.Defer(running.kill)
	test, ok := e.T().(testing.TB)
	if !ok {
		return errors.New("scripts need a test that has a context")
	}
	e.Values[contextKey{}] = test.Context()
	return nil
}

// contextKey is where a script keeps the context of its test.
type contextKey struct{}

// usage ends a script that calls a command in the wrong way.
func usage(ts *testscript.TestScript, neg, right bool, text string) {
	if neg || !right {
		ts.Fatalf("usage: %s", text)
	}
}
