package registry_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
)

// benchServer in the environment makes the test binary the server of the
// benchmark: what it costs is then the processor time of that process alone.
const benchServer = "NETGET_TEST_BENCH_SERVER"

// What the server of a benchmark is for, as benchServer says.
const (
	benchReads = "reads"
	benchBeats = "heartbeats" // of nodes that send one as soon as they have the reply to the last
)

// benchSizes are the services of the benchmark: so many nodes each.
var benchSizes = []int{1, 10, 100}

func benchService(nodes int) string { return fmt.Sprintf("nodes-%d", nodes) }

// benchPaths are what is asked about a service: without a mark, and so that a
// consistency proof is needed.
func benchPaths(nodes int) map[string]string {
	path := "/v1/services/" + benchService(nodes)
	return map[string]string{"fresh": path, "linked": path + "?from=1"}
}

// TestServeForBenchmark is the other process of [BenchmarkCachedAnswer]: it
// serves a registry and, beside it, a bare net/http server with the same
// certificates and the very bytes of the registry's answers. For each line of
// its input it says how much processor time it has used, in microseconds.
func TestServeForBenchmark(t *testing.T) {
	if os.Getenv(benchServer) == "" {
		return
	}
	w := newBenchWorld(t)
	s := serve(t, func(c *registry.Config) {
		if os.Getenv(benchServer) == benchBeats {
			c.Now = hurried()
		}
	}, w)
	for _, size := range benchSizes {
		for i := range size {
			registerDirectly(t, w, w.ca.ID(benchService(size), fmt.Sprintf("node-%d", i)))
		}
	}
	bodies := map[string]reply{}
	reader := newNode(t, w, s, "client", "reader")
	for _, size := range benchSizes {
		for _, path := range benchPaths(size) {
			for _, encoding := range []string{"identity", "gzip"} {
				req := reader.request(http.MethodGet, path, nil)
				req.Header.Set("Accept-Encoding", encoding)
				bodies[encoding+path] = want(t, reader.do(req), http.StatusOK)
			}
		}
	}
	static := serveStatic(t, w, bodies)
	_, _ = fmt.Fprintf(os.Stdout, "ready %s %s\n", s.addr, static)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(os.Stdout, "used %d\n", (used.Utime.Nano()+used.Stime.Nano())/1000)
	}
}

// registerDirectly has a node listed without a connection.
func registerDirectly(t *testing.T, w *world, id identity.NodeID, edits ...func(*identity.Record)) {
	t.Helper()
	n := &node{t: t, id: id, source: w.ca.Source(id), now: w.now}
	record, _ := n.record(1, edits...)
	i := n.source.Identity()
	peer, err := i.Bundle.Verify(i.Credential.Leaf(), i.Credential.Issuer(), identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.catalog.Submit(t.Context(), record.Token(), catalog.Peer{Certificate: peer}); err != nil {
		t.Fatal(err)
	}
}

// serveStatic serves fixed bodies with bare net/http under the same TLS.
func serveStatic(t *testing.T, w *world, bodies map[string]reply) (addr string) {
	t.Helper()
	tenant := &identity.Tenant{
		Credential: func() *tls.Certificate { return w.source.Identity().Credential.TLS() },
		Verify:     func(tls.ConnectionState) error { return nil },
	}
	server := &http.Server{
		TLSConfig:         identity.ServerTLS(func(string) *identity.Tenant { return tenant }),
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			b, found := bodies[r.Header.Get("Accept-Encoding")+r.URL.RequestURI()]
			if !found {
				_, _ = io.Copy(io.Discard, r.Body) // whoever sends less than it says is told by the 204 that it got
				rw.WriteHeader(http.StatusNoContent)
				return
			}
			for _, name := range []string{"Cache-Control", "Content-Type", "Content-Length", "Content-Encoding", "Etag", "Vary"} {
				if v := b.header.Get(name); v != "" {
					rw.Header().Set(name, v)
				}
			}
			_, _ = rw.Write(b.body)
		}),
	}
	l := listen(t)
	done := make(chan struct{})
	go func() { _ = server.ServeTLS(l, "", ""); close(done) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return l.Addr().String()
}

// A benchProcess is the server process of a benchmark.
type benchProcess struct {
	ask              io.Writer
	out              *bufio.Scanner
	registry, static string // addresses
}

func startBenchProcess(b *testing.B, use string) *benchProcess {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestServeForBenchmark$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), benchServer+"="+use)
	cmd.Stderr = os.Stderr
	ask, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ask.Close(); _ = cmd.Wait() })
	p := &benchProcess{ask: ask, out: bufio.NewScanner(out)}
	addresses := p.line(b, "ready")
	p.registry, p.static, _ = strings.Cut(addresses, " ")
	return p
}

// line returns the rest of the next line that begins with a word.
func (p *benchProcess) line(b *testing.B, word string) string {
	b.Helper()
	for p.out.Scan() {
		if rest, found := strings.CutPrefix(p.out.Text(), word+" "); found {
			return rest
		}
	}
	b.Fatalf("the server process ended: %v", p.out.Err())
	return ""
}

// used returns the processor time of the process, in microseconds.
func (p *benchProcess) used(b *testing.B) int64 {
	b.Helper()
	if _, err := io.WriteString(p.ask, "\n"); err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(p.line(b, "used"), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// A benchCaller asks one thing over and over on one connection.
type benchCaller struct {
	conn    net.Conn
	request []byte
	buffer  []byte // as long as a response
	etag    string
}

func dialBench(b *testing.B, addr, request string) *benchCaller {
	b.Helper()
	ca := testca.New("production", "production", time.Now())
	conf := &tls.Config{
		ServerName: ca.TD.RegistryName(), InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{*ca.Issue(ca.ID("client", "bench")).TLS()},
	}
	conn, err := (&tls.Dialer{Config: conf}).DialContext(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	c := &benchCaller{conn: conn, request: []byte(request)}
	if _, err := conn.Write(c.request); err != nil {
		b.Fatal(err)
	}
	in := bufio.NewReader(&countingReader{conn, &c.buffer})
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		b.Fatal(err, res)
	}
	c.etag = res.Header.Get("ETag")
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	return c
}

// A countingReader makes a buffer as long as what was read.
type countingReader struct {
	io.Reader
	seen *[]byte
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	*r.seen = append(*r.seen, make([]byte, n)...)
	return n, err
}

func (c *benchCaller) call(b *testing.B, times int) {
	b.Helper()
	for range times {
		if _, err := c.conn.Write(c.request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c.conn, c.buffer); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCachedAnswer compares the server processor time of a cached answer
// with that of bare net/http sending the same bytes. Limit: 1.3 ×.
func BenchmarkCachedAnswer(b *testing.B) {
	p := startBenchProcess(b, benchReads)
	for _, size := range benchSizes {
		for name, path := range benchPaths(size) {
			for _, encoding := range []string{"identity", "gzip"} {
				b.Run(fmt.Sprintf("nodes=%d/%s/%s", size, name, encoding), func(b *testing.B) {
					request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: registry\r\nAccept-Encoding: %s\r\n\r\n", path, encoding)
					ours, theirs := dialBench(b, p.registry, request), dialBench(b, p.static, request)
					compare(b, p, func() *benchCaller { return ours }, theirs)
					b.ReportMetric(float64(len(ours.buffer)), "bytes")
				})
			}
		}
	}
}

// BenchmarkUnchangedPoll compares the server processor time of a 304 with that
// of a 204 by bare net/http. Limit: 1.2 ×.
func BenchmarkUnchangedPoll(b *testing.B) {
	p := startBenchProcess(b, benchReads)
	const request = "GET /v1/services/nodes-10%s HTTP/1.1\r\nHost: registry\r\nIf-None-Match: %s\r\n\r\n"
	theirs := dialBench(b, p.static, fmt.Sprintf(request, "/none", `"1.1"`))
	b.Run("poll", func(b *testing.B) {
		compare(b, p, func() *benchCaller { // anew each turn, because heads are signed again meanwhile
			etag := dialBench(b, p.registry, fmt.Sprintf(request, "", `"1.1"`)).etag
			return dialBench(b, p.registry, fmt.Sprintf(request, "", etag))
		}, theirs)
	})
}

// compare reports what both cost, measured in turns so that what else the
// machine does meets both.
func compare(b *testing.B, p *benchProcess, dial func() *benchCaller, theirs *benchCaller) {
	b.Helper()
	const turns = 8
	each := max(1, b.N/turns)
	var own, bare int64
	for range turns {
		ours := dial()
		before := p.used(b)
		theirs.call(b, each)
		between := p.used(b)
		ours.call(b, each)
		bare, own = bare+between-before, own+p.used(b)-between
	}
	calls := float64(turns * each)
	b.ReportMetric(float64(bare)/calls, "bare-µs/op")
	b.ReportMetric(float64(own)/calls, "registry-µs/op")
	b.ReportMetric(float64(own)/float64(max(bare, 1)), "ratio")
}
