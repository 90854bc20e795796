package vectors_test

import (
	"encoding/json"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
)

func TestAnswers(t *testing.T) {
	f, err := vectors.Read[vectors.Answer](folder, vectors.AnswersFile)
	if err != nil {
		t.Fatal(err)
	}
	each(t, vectors.AnswersFile, func(t *testing.T, v vectors.Answer) error {
		t.Helper()
		before, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		o := discovery.NewOpener(bundleOf(t, v.Bundle))
		got, err := judge.Message(o, v)
		if again := openWarm(t, f.Vectors[0], v); identity.CodeOf(again) != identity.CodeOf(err) {
			t.Errorf("whoever has opened a good answer before says %v", again)
		}
		if after, e := json.Marshal(v); e != nil || string(after) != string(before) {
			t.Errorf("opening an answer changed the reader's marks")
		}
		if err != nil {
			return err
		}
		got.Marks = v.Want.Marks // written by a client, see TestClient
		want(t, v.Want, got)
		return nil
	})
}

// openWarm opens a message with an opener that knows the records of good.
func openWarm(t *testing.T, good, v vectors.Answer) error {
	t.Helper()
	o := discovery.NewOpener(bundleOf(t, v.Bundle))
	if _, err := judge.Message(o, good); err != nil && v.Class == "" {
		t.Fatal(err)
	}
	_, err := judge.Message(o, v)
	return err
}
