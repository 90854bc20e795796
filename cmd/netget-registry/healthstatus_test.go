package main_test

import (
	"testing"

	"github.com/neurons-me/netget/cmd/internal/directory"
	"github.com/neurons-me/netget/internal/cli"
)

// waitProblem waits until `netget-registry status` tells people of this problem of
// the one network; "" is none.
func (w *healthWorld) waitProblem(t *testing.T, want string) {
	t.Helper()
	eventually(t, healthPatience, "status: "+want, func() bool {
		status, err := directory.AskStatus(t.Context(), cli.Home(w.home()).Registry())
		if err != nil {
			t.Fatal(err)
		}
		row := status.Table().Rows[0]
		return row[len(row)-1] == want
	})
}
