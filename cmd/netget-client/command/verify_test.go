package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/neurons-me/netget/cmd/netget-client/command"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/vectors"
)

// Of the published vectors all that are about an answer alone: verify has no
// marks, no list of registries and no connection to compare with.
func TestVerifyJudgesThePublishedAnswers(t *testing.T) {
	file, err := vectors.Read[vectors.Answer](filepath.Join("..", "..", "..", "testdata", "vectors"), vectors.AnswersFile)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, 0
	for _, v := range file.Vectors {
		if !standsAlone(v) {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			exit, code, stdout := verify(t, v)
			if v.Class == "" {
				good++
				checkGood(t, v, exit, stdout)
				return
			}
			bad++
			if exit != cli.ExitUntrusted || code != string(v.Class) || stdout != "" {
				t.Errorf("got exit %d, class %q, stdout %q; want exit %d, class %q and nothing", exit, code, stdout, cli.ExitUntrusted, v.Class)
			}
		})
	}
	if good < 5 || bad < 50 {
		t.Errorf("only %d good and %d bad vectors were about an answer alone", good, bad)
	}
}

func standsAlone(v vectors.Answer) bool {
	return v.Kind == vectors.AnswerKind && v.Doc != "" && v.Mark == nil && v.Moved == nil && len(v.Nodes) == 0 &&
		v.Class != identity.Binding && v.Class != identity.Equivocation && !strings.Contains(v.Name, "nobody asked for")
}

// verify runs the command on a vector.
func verify(t *testing.T, v vectors.Answer) (exit int, code, stdout string) {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(bundle, v.Bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := cli.Process{
		Args: []string{
			"verify", "-", "-o", "json", "--home", t.TempDir(), "--bundle", bundle,
			"--service", v.Service, "--at", strconv.FormatInt(v.Now, 10),
		},
		UID: 1000, Stdin: strings.NewReader(v.Doc), Stdout: &out, Stderr: &errs,
	}
	exit = command.New(p).Run(context.Background())
	var report struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if exit != cli.ExitOK {
		if err := json.Unmarshal(errs.Bytes(), &report); err != nil {
			t.Fatalf("standard error is not one line of JSON: %q", errs.String())
		}
	}
	return exit, report.Error.Code, out.String()
}

func checkGood(t *testing.T, v vectors.Answer, exit int, stdout string) {
	t.Helper()
	var got struct {
		Valid    bool            `json:"valid"`
		Found    bool            `json:"found"`
		Registry identity.NodeID `json:"registry"`
		Version  int64           `json:"version"`
		AtFrom   string          `json:"at_from"`
		Nodes    []struct {
			ID     identity.NodeID `json:"id"`
			RID    identity.Hash   `json:"rid"`
			Reason string          `json:"reason"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || exit != cli.ExitOK {
		t.Fatalf("got exit %d, stdout %q, error %v; want it to verify", exit, stdout, err)
	}
	if !got.Valid || got.Found != v.Want.Found || got.Registry != v.Want.Registry || got.Version != v.Want.Mark.Version || got.AtFrom != "flag" {
		t.Errorf("got %+v, want %+v", got, v.Want)
	}
	if len(got.Nodes) != len(v.Want.Nodes) {
		t.Fatalf("got %d nodes, want %d", len(got.Nodes), len(v.Want.Nodes))
	}
	for i, n := range got.Nodes {
		word, _, _ := strings.Cut(n.Reason, " ") // what is in brackets is for people
		if want := v.Want.Nodes[i]; n.ID != want.ID || n.RID != want.RID || word != want.Reason {
			t.Errorf("got node %+v, want %+v", n, want)
		}
	}
}
