package attack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
	"github.com/neurons-me/netget/internal/vectors/judge"
)

// attackAnswers lets a lying registry answer. Every message is opened as the
// SDK does; for those that the list of refusals names the reader is the real
// netget-client as well, over TLS, with its marks on disk.
func attackAnswers(t *testing.T, g *group) {
	t.Helper()
	listed := map[string]bool{}
	for _, names := range facts()["answers"] {
		for _, name := range names {
			listed[name] = true
		}
	}
	for _, v := range read[vectors.Answer](t, vectors.AnswersFile) {
		if v.Class == "" && !listed[v.Name] {
			continue
		}
		g.try(t, v.Name, wantOfAnswer(v, listed[v.Name]), func(t *testing.T) outcome {
			t.Helper()
			got := openMessage(t, v)
			if listed[v.Name] && isQuestion(v) {
				got += "; " + askLiar(t, v)
			}
			return got
		})
	}
	attackVerify(t, g)
}

// isQuestion reports whether a command of netget-client asks for such a
// message, once: what was overtaken it would ask for again.
func isQuestion(v vectors.Answer) bool {
	return (v.Kind == vectors.AnswerKind || v.Kind == vectors.ServicesKind) && (v.Moved == nil || v.Class != "")
}

func wantOfAnswer(v vectors.Answer, listed bool) outcome {
	opened := outcome(v.Class)
	if v.Class == "" {
		opened = "stands"
	}
	if !listed || !isQuestion(v) {
		return opened
	}
	if v.Class != "" {
		return opened + "; " + outcome(fmt.Sprintf("exit 6 %s", v.Class))
	}
	if v.Kind == vectors.AnswerKind && len(v.Want.Active) == 0 {
		return opened + "; exit 3 as shown"
	}
	return opened + "; exit 0 as shown"
}

// openMessage opens the message as its reader in one process, and wants what is
// good to prove exactly what it does.
func openMessage(t *testing.T, v vectors.Answer) outcome {
	t.Helper()
	b, err := identity.ParseBundle(v.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	before := asText(t, v)
	got, err := judge.Message(discovery.NewOpener(b), v)
	if asText(t, v) != before {
		t.Error("opening the message changed what its reader knows")
	}
	if err != nil {
		return outcome(identity.CodeOf(err))
	}
	if v.Want == nil {
		return "stands"
	}
	got.Marks = v.Want.Marks // written by a client, see readMarks
	if d := cmp.Diff(v.Want, got, cmp.AllowUnexported(identity.NodeID{}, identity.TrustDomain{})); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
	return "stands"
}

func asText(t *testing.T, v vectors.Answer) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// askLiar runs netget-client against a registry that sends the message.
func askLiar(t *testing.T, v vectors.Answer) outcome {
	t.Helper()
	dir := t.TempDir()
	marks := filepath.Join(dir, "client", identity.MarksFile)
	liar, err := judge.NewLiar(t.Context(), v, marks)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := liar.Close(); err != nil {
			t.Error(err)
		}
	}()
	newReader(t, v, filepath.Join(dir, "client"), liar.URL())
	before, err := judge.WriteMarks(marks, v)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"netget-client", "services", "-o", "json", "--identity", filepath.Join(dir, "client")}
	if v.Kind == vectors.AnswerKind {
		args = []string{"netget-client", "discover", v.Service, "--all", "-o", "json", "--identity", filepath.Join(dir, "client")}
	}
	code, out, log := run(t, v.Now, args...)
	after, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	if v.Class != "" && v.Moved == nil && !bytes.Equal(after, before) {
		t.Errorf("a refused answer changed the marks from\n%s to\n%s", before, after)
	}
	if v.Class == "" {
		checkShown(t, v, out)
		if err := judge.Marks(v, after); err != nil {
			t.Error(err)
		}
		return outcome(fmt.Sprintf("exit %d as shown", code))
	}
	return exited(code, log)
}

// exited is the outcome of a program that has refused: its exit code with the
// class that it names.
func exited(code int, stderr []byte) outcome {
	var last struct{ Error struct{ Code string } }
	for line := range bytes.Lines(stderr) {
		_ = json.Unmarshal(line, &last) // the log is not JSON
	}
	return outcome(fmt.Sprintf("exit %d %s", code, last.Error.Code))
}

// newReader writes the identity of a vector's reader, with a key of its own
// that files can hold.
func newReader(t *testing.T, v vectors.Answer, dir, address string) {
	t.Helper()
	i, err := judge.Reader(v, address)
	if err != nil {
		t.Fatal(err)
	}
	i.Credential = forge.Authority().IssueKey(i.ID(), newKey(t), longLived)
	if err := identity.NewFolder(dir).Create(i, false); err != nil {
		t.Fatal(err)
	}
}

// checkShown compares what the client prints of nodes with what a good answer
// proves.
func checkShown(t *testing.T, v vectors.Answer, out []byte) {
	t.Helper()
	if v.Kind != vectors.AnswerKind {
		return
	}
	type node struct {
		ID       identity.NodeID `json:"id"`
		Active   bool            `json:"active"`
		Disputed bool            `json:"disputed"`
		Reason   string          `json:"reason"`
	}
	var got struct {
		Found   bool              `json:"found"`
		Nodes   []node            `json:"nodes"`
		LeftOut []vectors.LeftOut `json:"left_out"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.Found != v.Want.Found || len(got.Nodes) != len(v.Want.Nodes) || !slices.Equal(got.LeftOut, v.Want.LeftOut) {
		t.Errorf("the client shows\n%s\nwant %d nodes, left out %v", out, len(v.Want.Nodes), v.Want.LeftOut)
	}
	for i, n := range got.Nodes {
		w := v.Want.Nodes[i]                        // both are sorted by identity
		n.Reason, _, _ = strings.Cut(n.Reason, " ") // what is in brackets is for people
		want := node{ID: w.ID, Reason: w.Reason, Disputed: w.Reason == "disputed"}
		want.Active = slices.Contains(v.Want.Active, w.ID) || w.Live && w.Status == "suspect"
		if n != want {
			t.Errorf("the client shows %+v, want %+v", n, want)
		}
	}
}

// attackVerify gives saved answers to netget-client verify, which knows neither
// marks nor registries: of each class one.
func attackVerify(t *testing.T, g *group) {
	t.Helper()
	dir, tried := t.TempDir(), map[identity.Code]int{}
	for _, v := range read[vectors.Answer](t, vectors.AnswersFile) {
		alone := v.Kind == vectors.AnswerKind && v.Mark == nil && v.Moved == nil && v.Gzip == nil && v.Doc != ""
		if v.Class == "" || !alone || v.Name == "a registry that is not on the reader's list" || v.Name == "a head of another registry than the one that was asked" {
			continue
		}
		if tried[v.Class]++; tried[v.Class] > 1 {
			continue
		}
		g.try(t, "saved: "+v.Name, outcome(fmt.Sprintf("exit 6 %s", v.Class)), func(t *testing.T) outcome {
			t.Helper()
			answer, bundle := filepath.Join(dir, "answer.json"), filepath.Join(dir, "bundle.json")
			for file, text := range map[string][]byte{answer: []byte(v.Doc), bundle: v.Bundle} {
				if err := os.WriteFile(file, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, out, log := runProcess(t, 0, "netget-client", "verify", answer, "--bundle", bundle, "-o", "json",
				"--service", v.Service, "--at", fmt.Sprint(v.Now))
			if len(out) != 0 {
				t.Errorf("it printed\n%s", out)
			}
			return exited(code, log)
		})
	}
}

// attackProofs checks every wrong proof by itself.
func attackProofs(t *testing.T, g *group) {
	t.Helper()
	for _, v := range read[vectors.Proof](t, vectors.ProofsFile) {
		if v.Class == "" {
			continue
		}
		g.try(t, v.Name, outcome(v.Class), func(*testing.T) outcome {
			_, err := judge.Proof(v)
			return outcome(identity.CodeOf(err))
		})
	}
}
