package main_test

import (
	"testing"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	"github.com/neurons-me/netget/cmd/netget-ca/command"
	"github.com/neurons-me/netget/internal/cli"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, map[string]func(cli.Process) *cli.Program{"netget-ca": command.New})
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }
