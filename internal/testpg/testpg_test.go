package testpg_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/testpg"
)

// childEnv makes the test binary one that uses a server until it is killed.
const childEnv = "NETGET_TEST_CHILD"

func TestServerEndsWithTheTestBinary(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		fmt.Fprintln(os.Stdout, "url "+testpg.URL(t))
		select {}
	}
	testpg.URL(t) // skips where there is no PostgreSQL
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childEnv+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var store string
	if _, err := fmt.Fscanf(out, "url %s\n", &store); err != nil {
		t.Fatalf("reading the child's URL: %v", err)
	}
	u, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	folder := u.Query().Get("host")
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("the server's folder: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	waitUntilGone(t, folder)
}

func waitUntilGone(t *testing.T, folder string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is still there", folder)
		case <-tick.C:
		}
	}
}

func TestDatabasesAreApart(t *testing.T) {
	one, two := testpg.URL(t), testpg.URL(t)
	if one == two || !strings.HasPrefix(one, "postgres://") {
		t.Errorf("got %s and %s, want two URLs", one, two)
	}
}
