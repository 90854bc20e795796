package discovery_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
	"github.com/neurons-me/netget/internal/vectors/judge"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// vectorNow is when the messages of the vectors are read.
const vectorNow = 1_795_348_801

// vectorClient is a client of the network of the vectors, whose clock stands.
func vectorClient(f *testing.F) (*discovery.Client, *identity.Source) {
	f.Helper()
	ca := forge.Authority()
	src := ca.Source(ca.ID("client", "reader"))
	return clientOf(f, src), src
}

func clientOf(tb testing.TB, src *identity.Source) *discovery.Client {
	tb.Helper()
	c, err := discovery.NewClient(discovery.Config{
		Source: src, Marks: discovery.NewMarks(), Addresses: []string{"https://localhost:1"},
		Now: func() time.Time { return time.Unix(vectorNow, 0) }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// FuzzSuperseded reads the statement that a registry sends along with a 409. A
// node believes it only as it was signed.
func FuzzSuperseded(f *testing.F) {
	c, _ := vectorClient(f)
	file, err := vectors.Read[vectors.Record]("../testdata/vectors", vectors.RecordsFile)
	if err != nil {
		f.Fatal(err)
	}
	signed := map[identity.Hash]struct{}{}
	for i, v := range file.Vectors {
		if v.TokenGzip != nil {
			continue
		}
		p := identity.NewProblem(identity.Superseded)
		p.Current, p.Certificate, p.Issuer = v.Token, v.Certificate, v.Issuer
		doc, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		if env, err := identity.ParseEnvelope(v.Token, identity.RecordTyp, identity.TombstoneTyp); err == nil && v.Class != identity.BadSignature {
			signed[env.RID()] = struct{}{}
		}
		f.Add(409, doc, uint16(1), byte(3), []byte{0, 1})
		f.Add(409, doc, uint16(i), byte(i), []byte{0, byte(i), 1})
	}
	f.Fuzz(func(t *testing.T, status int, doc []byte, place uint16, way byte, with []byte) {
		p := identity.ParseProblem(status, nil, spoil.JSON(doc, place, way, with))
		s, err := c.OpenCurrent(p)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if _, known := signed[s.RID()]; !known || s.Token() != p.Current || s.CheckTime(time.Unix(vectorNow, 0)) != nil {
			t.Errorf("believed what nobody has signed: %s", p.Current)
		}
	})
}

// FuzzBehind reads the refusal of a replica that says how far it is. Only a head
// that verifies counts, and what comes out is the refusal itself or a rollback.
func FuzzBehind(f *testing.F) {
	c, src := vectorClient(f)
	for i, v := range messagesOf(f, vectors.HeadKind) {
		var seal discovery.Seal
		if json.Unmarshal([]byte(v.Doc), &seal) != nil {
			continue
		}
		p := identity.NewProblem(identity.Unavailable)
		p.Head, p.Registry = seal.Head, seal.Registry
		doc, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(int64(1000), doc, uint16(1), byte(3), []byte{0, 1})
		f.Add(int64(1), doc, uint16(i), byte(i), []byte{0, byte(i), 1})
	}
	opener := discovery.NewOpener(src.Identity().Bundle)
	f.Fuzz(func(t *testing.T, version int64, doc []byte, place uint16, way byte, with []byte) {
		refusal := identity.ParseProblem(503, nil, spoil.JSON(doc, place, way, with))
		ask := discovery.Ask{Mark: &identity.RegistryMark{Version: version}, Now: time.Unix(vectorNow, 0)}
		if err := c.Refused(opener, ask, refusal); !errors.Is(err, refusal) && identity.CodeOf(err) != identity.Rollback {
			t.Errorf("%v became %v", refusal, err)
		}
	})
}

// FuzzBeatReply reads answers to heartbeats, with a receipt and without.
func FuzzBeatReply(f *testing.F) {
	var all []vectors.Answer
	for _, v := range messagesOf(f, vectors.ReceiptKind) {
		if v.Class == "" {
			all = append(all, v)
		}
	}
	for i, v := range all {
		b, err := identity.ParseBundle(v.Bundle)
		if err != nil {
			f.Fatal(err)
		}
		s, err := judge.Statement(b, *v.Statement)
		if err != nil {
			f.Fatal(err)
		}
		doc := []byte(`{"rid":"` + s.RID().String() + `","status":"up","time":5,"version":3,"late":true,"receipt":` + v.Doc + `}`)
		f.Add(uint8(i), doc, uint16(1), byte(3), []byte{0, 1})
		f.Add(uint8(i), doc, uint16(i)*3, byte(i), []byte{0, byte(i), 1})
	}
	f.Fuzz(func(t *testing.T, index uint8, doc []byte, place uint16, way byte, with []byte) {
		v := all[int(index)%len(all)]
		b, err := identity.ParseBundle(v.Bundle)
		if err != nil {
			t.Fatal(err)
		}
		s, err := judge.Statement(b, *v.Statement)
		if err != nil {
			t.Fatal(err)
		}
		doc = spoil.JSON(doc, place, way, with)
		ask := discovery.Ask{Now: time.Unix(v.Now, 0), Mark: v.Mark}
		var plain, proven *discovery.BeatReply
		var plainErr, provenErr error
		spoil.Bounded(t, len(doc), 64, func() {
			plain, plainErr = discovery.OpenBeat(discovery.NewOpener(b), doc, s, false, ask)
			proven, provenErr = discovery.OpenBeat(discovery.NewOpener(b), doc, s, true, ask)
		})
		for _, err := range []error{plainErr, provenErr} {
			if err != nil {
				spoil.Refused(t, err)
			}
		}
		if plainErr == nil && plain.RID != s.RID() {
			t.Errorf("a reply about %s counts for %s", plain.RID, s.RID())
		}
		if provenErr == nil && (plainErr != nil || proven.Receipt == nil || proven.Receipt.RID != s.RID()) {
			t.Errorf("taken with its receipt, %v without it: %s", plainErr, doc)
		}
	})
}

// FuzzLink reads the proof that links two versions.
func FuzzLink(f *testing.F) {
	hash := identity.Hash{1}.String()
	for _, text := range []string{`{"proof":[]}`, `{"proof":["` + hash + `","` + hash + `"]}`, `{"proof":null}`, `{}`, `{"proof":[null]}`, `{"proof":[],"proof":[]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var proof []identity.Hash
		var err error
		spoil.Bounded(t, len(doc), 64, func() { proof, err = discovery.ParseLink(doc) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		older, newer := identity.RegistryMark{Version: 1}, identity.RegistryMark{Version: 2, Log: identity.Hash{7}}
		if err := discovery.CheckConsistency(proof, older, newer); identity.CodeOf(err) != identity.Equivocation {
			t.Errorf("%s links logs of which it knows nothing: %v", doc, err)
		}
	})
}

// FuzzRegistryBundle takes the bundle of a registry. It adds lists and issuers
// that the network has signed, and takes nothing away.
func FuzzRegistryBundle(f *testing.F) {
	ca := forge.Authority()
	for _, b := range []*identity.Bundle{ca.Bundle(), ca.Bundle(ca.CRL(7)), ca.Bundle(ca.CRL(8, ca.Issue(ca.ID("web", "w")).Leaf()))} {
		doc, err := json.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		for way := range byte(7) {
			for place := range uint16(12) {
				f.Add(doc, place, way, []byte{0, byte(place), 1})
			}
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, place uint16, way byte, with []byte) {
		src := ca.Source(ca.ID("client", "reader"))
		c := clientOf(t, src)
		before := src.Identity().Bundle
		doc = spoil.JSON(doc, place, way, with)
		var newer bool
		var err error
		spoil.Bounded(t, len(doc), 64, func() { newer, err = c.AddCRLs(doc) })
		after := src.Identity().Bundle
		if err != nil {
			spoil.Refused(t, err)
		}
		if (err != nil || !newer) && after != before {
			t.Errorf("a bundle that brings nothing is in force: %v", err)
		}
		if after.NID() != before.NID() || len(after.Roots()) != len(before.Roots()) || len(after.Issuers()) < len(before.Issuers()) || len(after.CRLs()) < len(before.CRLs()) {
			t.Errorf("%s took something away", doc)
		}
	})
}
