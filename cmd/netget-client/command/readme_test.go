package command_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/cmd/netget-client/command"
)

func TestReadmeShowsTheTableThatDiscoverPrints(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	printed := command.NodeTable(nil, false).Header
	gap, tables := regexp.MustCompile(` {2,}`), 0
	for line := range strings.Lines(string(text)) {
		shown := gap.Split(strings.TrimSpace(line), -1)
		if shown[0] != printed[0] {
			continue
		}
		if tables++; !slices.Equal(shown, printed) {
			t.Errorf("the README shows the columns %q, discover prints %q", shown, printed)
		}
	}
	if tables < 2 {
		t.Errorf("the README shows %d tables of discover, want one of a node and one of none", tables)
	}
}
