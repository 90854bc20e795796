package main_test

import (
	"os"
	"testing"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	ca "github.com/neurons-me/netget/cmd/netget-ca/command"
	client "github.com/neurons-me/netget/cmd/netget-client/command"
	registry "github.com/neurons-me/netget/cmd/netget-registry/command"
	"github.com/neurons-me/netget/internal/cli"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(floodJobVar); job != "" {
		if err := runFlooder(job, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	scripttest.Main(m, map[string]func(cli.Process) *cli.Program{
		"netget-ca": ca.New, "netget-client": client.New, "netget-registry": registry.New,
	})
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }
