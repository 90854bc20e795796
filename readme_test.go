package netget_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/neurons-me/netget"
)

// readme is the SDK's part of the README, word for word.
func readme(ctx context.Context) error {
	node := netget.New(netget.Options{
		NodeType:  "service",
		Network:   "development",
		Metadata:  map[string]string{"name": "databaseservice", "version": "17.2"},
		Endpoints: []netget.Endpoint{{Address: "10.0.0.7", Port: 5432}},
	})
	defer node.Close() // deregisters
	if err := node.RegisterWithNetwork(ctx); err != nil {
		return err
	}
	cache, err := node.DiscoverServiceNode(ctx, "cacheservice")
	if errors.Is(err, netget.ErrNotFound) {
		return nil // there verifiably is none
	}
	_ = cache
	return err
}

func TestReadmeShowsCodeThatCompiles(t *testing.T) {
	_ = readme
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```go\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README shows no Go code")
	}
	for line := range strings.Lines(block) {
		if strings.TrimSpace(line) != "" && !strings.Contains(string(source), "\t"+line) {
			t.Errorf("not in readme_test.go: %s", line)
		}
	}
}
