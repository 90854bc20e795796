package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// A stage is a registry of one network with one record, which is asked without
// a connection: what happens before is TLS alone.
type stage struct {
	ca      *testca.Authority
	catalog *catalog.Catalog
	server  *registry.Server
	record  *identity.Statement
	first   identity.Hash // token of the record's first heartbeat
	state   tls.ConnectionState
	now     time.Time
	asked   atomic.Int64
}

func newStage(f *testing.F) *stage {
	f.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	ca := testca.New("production", "a", now)
	s := &stage{ca: ca, now: now}
	src := ca.Source(ca.ID("registry", "reg-1"))
	var err error
	s.catalog, err = catalog.New(catalog.Config{Source: src, Store: memstore.New(), Now: s.clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	if err := s.catalog.Open(f.Context()); err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.Context()))
	done := make(chan error, 1)
	go func() { done <- s.catalog.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	})
	s.server, err = registry.New(registry.Config{
		Networks: []registry.Network{{Source: src, Catalog: s.catalog}}, Now: s.later, ReadRate: 1e9, ReadBurst: 1e9,
	})
	if err != nil {
		f.Fatal(err)
	}
	s.register(f)
	return s
}

// clock is the catalog's, which stands.
func (s *stage) clock() time.Time { return s.now }

// later is the server's: between two requests goes by what gives a caller its
// budget back.
func (s *stage) later() time.Time {
	return s.now.Add(time.Duration(s.asked.Load()%4000) * 10 * time.Second)
}

func (s *stage) register(f *testing.F) {
	f.Helper()
	id := s.ca.ID("databaseservice", "db-1")
	cred := s.ca.Issue(id)
	chain, err := identity.ChainFromSeed(id, 240, identity.Hash{7})
	if err != nil {
		f.Fatal(err)
	}
	t := s.now.Unix()
	s.record, err = identity.SignRecord(identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 1, Protocol: "tcp"}},
		Epoch:     t, Exp: t + 3600, IAT: t, Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 240, Interval: 15},
		Sequence: 1, State: identity.Active,
	}, cred, s.ca.Bundle())
	if err != nil {
		f.Fatal(err)
	}
	s.first, _ = chain.Token(1)
	s.state = tls.ConnectionState{
		Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: s.ca.TD.RegistryName(),
		PeerCertificates: []*x509.Certificate{cred.Leaf(), cred.Issuer()},
	}
	w := s.serve("POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: " + strconv.Itoa(len(s.record.Token())) + "\r\n\r\n" + s.record.Token())
	if w == nil || w.Code != http.StatusCreated {
		f.Fatalf("the first record: %+v", w)
	}
}

// serve answers a request as it stands on the wire; nil for what net/http would
// not hand on.
func (s *stage) serve(text string) *httptest.ResponseRecorder {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.patience(r))
	defer cancel()
	s.asked.Add(1)
	r.TLS, r.RemoteAddr = &s.state, "127.0.0.1:1"
	w := httptest.NewRecorder()
	registry.ServeOne(s.server, w, r.WithContext(ctx))
	return w
}

// patience is how long the caller waits: not for long where only news would be an
// answer, and otherwise as long as a slow machine may need.
func (s *stage) patience(r *http.Request) time.Duration {
	from, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	if err == nil && from > s.catalog.Snapshot().Head().Version || len(r.Header["Prefer"]) > 0 {
		return 20 * time.Millisecond
	}
	return time.Minute
}

// FuzzRequest answers requests of any text. An answer is one that the protocol
// has, a refusal tells the class and one fixed sentence, a question changes
// nothing and is answered alike when it is asked again, and whatever is said of
// a service can be verified.
func FuzzRequest(f *testing.F) {
	s := newStage(f)
	get := func(target string, header ...string) {
		f.Add([]byte("GET " + target + " HTTP/1.1\r\nHost: registry.production.netget.internal\r\n" + strings.Join(header, "\r\n") + "\r\n\r\n"))
	}
	for _, path := range []string{"", "/", "/v1/services", "/v1/services/databaseservice", "/v1/services/none", "/v1/services/databaseservice/db-1", "/v1/head", "/v1/events", "/v1/events?service=databaseservice&node=db-1", "/v1/bundle", "/openapi.yaml", "/v1//head", "/v1/%2e%2e/v1/head", "/V1/head", "/v1/services/%00", "/v1/services/a%2fb"} {
		for _, query := range []string{"", "?from=0", "?from=1", "?from=99", "?from=01", "?from=1&from=1", "?from=-1", "?from=9007199254740992", "?known=", "?known=" + identity.Hash{1}.String(), "?format=spiffe", "?%zz", "?;", "?from=1;x"} {
			get(path + query)
		}
	}
	get("/v1/proof?from=1&to=2")
	get("/v1/head", `If-None-Match: "1.2"`, "If-None-Match: W/*")
	get("/v1/services/databaseservice", "Accept-Encoding: gzip;q=0.1")
	get("http://other/v1/head", "X-Forwarded-For: 1.2.3.4", "X-Netget-Identity: x")
	post := func(path, contentType, body string) {
		f.Add([]byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, contentType, len(body), body)))
	}
	post("/v1/records", "application/jose", s.record.Token())
	post("/v1/records", "text/plain", "a.b.c")
	post("/v1/heartbeats", "application/json", beatBody(s.record.RID(), 1, s.first))
	post("/v1/heartbeats", "application/json; charset=utf-8", `{"rid":null,"k":1,"token":""}`)
	f.Add([]byte("POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 32<<10 {
			return
		}
		before := s.catalog.Snapshot().Head().Version
		var w *httptest.ResponseRecorder
		spoil.Bounded(t, len(text), 256, func() { w = s.serve(string(text)) })
		if w == nil {
			return
		}
		s.checkReply(t, string(text), w)
		method, _, _ := strings.Cut(string(text), " ")
		if after := s.catalog.Snapshot().Head().Version; method != http.MethodPost && after != before {
			t.Errorf("%q led from version %d to %d", text, before, after)
		}
		if again := s.serve(string(text)); method != http.MethodPost && again.Code != w.Code {
			t.Errorf("%q: first %d, then %d", text, w.Code, again.Code)
		}
	})
}

func (s *stage) checkReply(t *testing.T, text string, w *httptest.ResponseRecorder) {
	t.Helper()
	good := []int{200, 201, 304}
	if bad := []int{400, 401, 403, 404, 405, 409, 413, 421, 429, 503}; slices.Contains(bad, w.Code) {
		checkRefusal(t, text, w)
		return
	}
	if !slices.Contains(good, w.Code) {
		t.Errorf("%q: status %d", text, w.Code)
	}
	if w.Header().Get("Content-Encoding") != "" && !strings.Contains(strings.ToLower(text), "gzip") {
		t.Errorf("%q is answered compressed", text)
	}
	if w.Header().Get("Content-Type") == discovery.AnswerType && w.Code == http.StatusOK && w.Header().Get("Content-Encoding") == "" {
		s.checkAnswer(t, text, w.Body.Bytes())
	}
}

// checkRefusal allows the class, the sentence that goes with it, and no word of
// what was asked.
func checkRefusal(t *testing.T, text string, w *httptest.ResponseRecorder) {
	t.Helper()
	var p identity.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != discovery.ProblemType {
		t.Fatalf("%q: %d without a problem document: %.200s", text, w.Code, w.Body)
	}
	if p.Status != w.Code || p.Detail != p.Code.Sentence() || p.Title != http.StatusText(w.Code) || p.Code.Status() == http.StatusInternalServerError {
		t.Errorf("%q: %d with %+v", text, w.Code, p)
	}
}

func (s *stage) checkAnswer(t *testing.T, text string, doc []byte) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimRight(r.URL.Path, "/"), "/")
	ask := discovery.Ask{Service: parts[len(parts)-1], Overheard: true, Now: s.now}
	view, err := discovery.NewOpener(s.ca.Bundle()).Answer(doc, ask)
	if err != nil || view.Found != (ask.Service == "databaseservice") {
		t.Errorf("%q is answered with %.200s: %v", text, doc, err)
	}
}

// FuzzAcceptEncoding looks for whoever did not ask for gzip and would get it.
func FuzzAcceptEncoding(f *testing.F) {
	for _, field := range []string{"gzip", "gzip;q=0", "gzip; q=0.000", "gzip;Q=0", "gzip\t;\tq=0", "gzip;x=1;q=0", "gzip;q=0;x=1", "gzip;q=0.001", "deflate, gzip;q=1.0, *;q=0.5", "*", "identity", "gzip;q=", "gzip;q=-1", "gzip;q=NaN", "xgzip"} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if !registry.AcceptsGzip(&http.Request{Header: http.Header{"Accept-Encoding": {field}}}) {
			return
		}
		for coding := range strings.SplitSeq(field, ",") {
			parts := strings.Split(strings.ToLower(coding), ";")
			if strings.TrimSpace(parts[0]) != "gzip" {
				continue
			}
			weight := "1"
			for _, param := range slices.Backward(parts[1:]) {
				if name, value, found := strings.Cut(param, "="); found && strings.TrimSpace(name) == "q" {
					weight = strings.TrimSpace(value)
				}
			}
			if q, err := strconv.ParseFloat(weight, 64); err != nil || q <= 0 {
				t.Errorf("%q gets gzip", field)
			}
			return
		}
		t.Errorf("%q gets gzip", field)
	})
}

// FuzzServerName chooses a network by SNI and Host as docs/protocol.md section 6
// has it.
func FuzzServerName(f *testing.F) {
	s := newStage(f)
	td := s.ca.TD.String()
	for _, name := range []string{"", "registry." + td, strings.ToUpper(td), td, td + ".", "x" + td, "localhost", "a.localhost", "127.0.0.1", "[::1]:8438", "\x00", "a%zz", "//x", "a@" + td, td + ":8438"} {
		f.Add(name, name)
		f.Add("registry."+td, name)
	}
	f.Fuzz(func(t *testing.T, sni, host string) {
		got, another := registry.NetworkOf(s.server, sni, host)
		want := slices.Contains([]string{"", td, "localhost"}, sni) || strings.HasSuffix(sni, "."+td)
		if want != (got == td) || got != "" && got != td {
			t.Errorf("%q chooses %q", sni, got)
		}
		if _, err := url.Parse("//" + host); err == nil && another {
			t.Errorf("the only network is another at %q", host)
		}
	})
}

// FuzzAuthorityMark reads what the authority answers to a report of a head.
func FuzzAuthorityMark(f *testing.F) {
	hash := identity.Hash{1}.String()
	for _, text := range []string{`{"version":3,"log":"` + hash + `"}`, `{}`, `{"version":-1,"log":"` + hash + `"}`, `{"version":1.5}`, `{"version":null}`, "", `{"version":3,"version":4}`} {
		f.Add(200, []byte(text))
		f.Add(409, []byte(text))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		version, log, elsewhere, err := registry.OpenMark(status, http.Header{"Content-Type": {"application/json"}}, body)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		var doc struct {
			Version int64
			Log     *identity.Hash
		}
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&doc); err != nil || doc.Version != version || version < 0 || doc.Log != nil && *doc.Log != log || elsewhere != (status == 409) {
			t.Errorf("%d %s reads as version %d, %s", status, body, version, log)
		}
	})
}
