package registry_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neurons-me/netget/registry"
)

func TestAnswersAreUnderTheNewestHead(t *testing.T) {
	w := newWorld(t, "production", frozen())
	s := serve(t, nil, w)
	db, other := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "webservice", "web-1")
	db.register(1)
	for _, gzipped := range []bool{false, true} {
		if v, err := db.opener.Answer(db.document("/v1/services/databaseservice", gzipped), db.ask("databaseservice")); err != nil || v.Head.Version != 2 {
			t.Fatalf("gzip %t: %v", gzipped, err)
		}
	}
	other.register(1)
	for _, gzipped := range []bool{false, true} {
		v, err := db.opener.Answer(db.document("/v1/services/databaseservice", gzipped), db.ask("databaseservice"))
		if err != nil || v.Head.Version != 3 || names(v) != "db-1" {
			t.Errorf("gzip %t: version %d with %q, %v", gzipped, v.Head.Version, names(v), err)
		}
	}
}

// What a panic has left behind is no answer.
func TestAnswerThatCouldNotBeEncodedIsNotCached(t *testing.T) {
	if err := registry.FillTwice(); err == nil {
		t.Error("an empty body is taken for the answer")
	}
}

func TestAnswersAreAtMostFiveSecondsOld(t *testing.T) {
	began := time.Now()
	var passed atomic.Int64
	now := func() time.Time { return began.Add(time.Duration(passed.Load())) }
	w := newWorld(t, "production", now)
	s := serve(t, nil, w)
	db := newNode(t, w, s, "databaseservice", "db-1")
	record, chain := db.register(1)
	db.view("databaseservice")
	token, _ := chain.Token(4)
	want(t, db.post("/v1/heartbeats", "application/json", []byte(beatBody(record.RID(), 4, token))), http.StatusOK)
	for _, row := range []struct {
		after time.Duration
		beat  int64
	}{{5*time.Second - 1, 0}, {5 * time.Second, 4}} {
		passed.Store(int64(row.after))
		if got := db.view("databaseservice").Nodes[0].Beat.K; got != row.beat {
			t.Errorf("after %s the answer has heartbeat %d, want %d", row.after, got, row.beat)
		}
	}
}
