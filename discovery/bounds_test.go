package discovery_test

import (
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// A registry of the network can sign a head and send whatever it likes beside
// it. None of that costs its reader much more memory than it has on the wire.
func TestHostileMessagesCostWhatTheirLengthSays(t *testing.T) {
	const size = 3 << 20
	list := func(entry string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(entry+",", size/(len(entry)+1)), ",") + "]"
	}
	wide := must(json.Marshal([][]byte{manyNames(t)}))
	row := "[" + strings.TrimSuffix(strings.Repeat("1,", 15_000), ",") + "]"
	for name, c := range map[string]struct {
		kind         vectors.Kind
		member, with string
		want         identity.Code
	}{
		"records of nothing":            {vectors.AnswerKind, "records", list("{}"), identity.Limits},
		"certificates of nothing":       {vectors.AnswerKind, "certificates", list(`""`), identity.Limits},
		"issuers of nothing":            {vectors.AnswerKind, "issuers", list(`""`), identity.Limits},
		"an issuer of many names":       {vectors.AnswerKind, "issuers", string(wide), identity.BadCert},
		"siblings of nothing":           {vectors.AnswerKind, "proof", `{"key":"","value":"","siblings":` + list(`""`) + `}`, identity.Limits},
		"a chain of nothing":            {vectors.HeadKind, "registry", list(`""`), identity.Limits},
		"a chain of many names":         {vectors.HeadKind, "registry", string(wide), identity.BadCert},
		"an inclusion of nothing":       {vectors.HeadKind, "inclusion", list(`""`), identity.Limits},
		"a head of any length":          {vectors.HeadKind, "head", `"` + strings.Repeat(".", size) + `"`, identity.Limits},
		"services of nothing":           {vectors.ServicesKind, "services", list("[]"), identity.Limits},
		"changes of nothing":            {vectors.TombstoneReceiptKind, "changes", list("[]"), identity.Limits},
		"changes with many members":     {vectors.TombstoneReceiptKind, "changes", list(row), identity.Incomplete},
		"notes of nothing":              {vectors.ReceiptKind, "notes", list(`""`), identity.Limits},
		"a path of nothing":             {vectors.ReceiptKind, "recordPath", list(`""`), identity.Limits},
		"an unknown list in lists":      {vectors.AnswerKind, "later", list("[[],{}]"), identity.Limits},
		"an unknown member of anything": {vectors.AnswerKind, "later", `{"a":` + list(`"x"`) + `}`, identity.Limits},
	} {
		v := goodMessage(t, c.kind)
		var doc map[string]json.RawMessage
		if err := json.Unmarshal([]byte(v.Doc), &doc); err != nil {
			t.Fatal(err)
		}
		doc[c.member] = json.RawMessage(c.with)
		v.Doc = string(must(json.Marshal(doc)))
		b := must(identity.ParseBundle(v.Bundle))
		began := time.Now()
		spoil.Bounded(t, len(v.Doc), 12, func() {
			if _, err := judge.Message(discovery.NewOpener(b), v); identity.CodeOf(err) != c.want {
				t.Errorf("%s: got %.300v, want %s", name, err, c.want)
			}
		})
		t.Logf("%s: %d bytes in %s", name, len(v.Doc), time.Since(began).Round(time.Millisecond))
	}
}

// goodMessage returns the first good message of a kind.
func goodMessage(t *testing.T, kind vectors.Kind) vectors.Answer {
	t.Helper()
	for _, v := range must(vectors.Read[vectors.Answer]("../testdata/vectors", vectors.AnswersFile)).Vectors {
		if v.Kind == kind && v.Class == "" && v.Doc != "" {
			return v
		}
	}
	t.Fatalf("no good message of kind %q", kind)
	return vectors.Answer{}
}

// manyNames is a certificate of half a MiB whose names take forty times that when
// they are parsed.
func manyNames(t *testing.T) []byte {
	t.Helper()
	key := testca.Key("wide")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start.Add(time.Hour)}
	for range 1 << 17 {
		template.URIs = append(template.URIs, &url.URL{Scheme: "a"})
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
