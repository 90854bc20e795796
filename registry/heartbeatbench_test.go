package registry_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// limitHeartbeat is what a heartbeat may cost, as a multiple of a bare 204 that
// reads the same body.
const limitHeartbeat = 1.3

const (
	beatNodes    = 256 // each with its connection
	beatInterval = 15 * time.Second
	beatAge      = 10 * time.Hour // of the records: for so long their nodes have saved up tokens
	beatLife     = 24 * time.Hour
	hurry        = 20 * time.Millisecond
)

// benchAuthority is the authority of a benchmark: it is older than any record.
func benchAuthority() *testca.Authority {
	return testca.New("production", "production", time.Now().Add(-beatAge-time.Hour))
}

// newBenchWorld makes a network whose nodes are judged.
func newBenchWorld(t *testing.T) *world {
	t.Helper()
	ca := benchAuthority()
	w := &world{ca: ca, source: ca.Source(ca.ID("registry", "reg-1")), now: time.Now}
	var err error
	w.catalog, err = catalog.New(catalog.Config{
		Source: w.source, Store: memstore.New(), Now: w.now, Logger: slog.New(slog.DiscardHandler), Health: &healthwatch.Config{},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.open(t)
	return w
}

// hurried returns a clock by which a node may soon send its next heartbeat: it
// gains a moment each time that it is asked.
func hurried() func() time.Time {
	var gained atomic.Int64
	return func() time.Time { return time.Now().Add(time.Duration(gained.Add(int64(hurry)))) }
}

// A beatCaller sends what a node sends, a token after the other, on one
// connection: to the registry, or to a server to which it is a body like any.
type beatCaller struct {
	conn   net.Conn
	in     *bufio.Reader
	status int // of a good reply
	rid    identity.Hash
	chain  *identity.Chain
	next   int64
}

// dialBeats connects the nodes, which register where the registry is.
func dialBeats(b *testing.B, ca *testca.Authority, addr string, good int) []*beatCaller {
	b.Helper()
	callers := make([]*beatCaller, beatNodes)
	for i := range callers {
		cred := ca.Issue(ca.ID("databaseservice", fmt.Sprintf("beat-%d", i)), func(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(beatLife * 5) })
		c := &beatCaller{conn: dialAs(b, ca, cred, addr), status: good, next: 1}
		c.in = bufio.NewReader(c.conn)
		statement := c.sign(b, cred, ca.Bundle())
		c.rid = statement.RID()
		if good == http.StatusOK {
			c.send(b, "/v1/records", "application/jose", statement.Token(), http.StatusCreated)
		}
		callers[i] = c
	}
	return callers
}

func dialAs(b *testing.B, ca *testca.Authority, cred *identity.Credential, addr string) net.Conn {
	b.Helper()
	conf := &tls.Config{
		ServerName: ca.TD.RegistryName(), InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{*cred.TLS()},
	}
	conn, err := (&tls.Dialer{Config: conf}).DialContext(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// sign makes the node's record, which is so old that most of its tokens may be
// revealed.
func (c *beatCaller) sign(b *testing.B, cred *identity.Credential, bundle *identity.Bundle) *identity.Statement {
	b.Helper()
	const count = int64(beatLife / beatInterval)
	var err error
	if c.chain, err = identity.NewChain(cred.ID(), int(count)); err != nil {
		b.Fatal(err)
	}
	iat := time.Now().Add(-beatAge).Unix()
	s, err := identity.SignRecord(identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     iat, IAT: iat, Exp: iat + int64(beatLife/time.Second), Sequence: 1,
		Heartbeat: identity.Heartbeat{Anchor: c.chain.Anchor(), Count: count, Interval: int64(beatInterval / time.Second)},
		Metadata:  map[string]string{}, State: identity.Active,
	}, cred, bundle)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// beat reveals the next token.
func (c *beatCaller) beat(b *testing.B) {
	b.Helper()
	token, ok := c.chain.Token(c.next)
	if !ok {
		b.Fatal("no token is left")
	}
	c.send(b, "/v1/heartbeats", "application/json", beatBody(c.rid, c.next, token), c.status)
	c.next++
}

func (c *beatCaller) send(b *testing.B, path, mediaType, body string, good int) {
	b.Helper()
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: registry\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, mediaType, len(body), body)
	if _, err := c.conn.Write(request); err != nil {
		b.Fatal(err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		b.Fatal(err)
	}
	var reply bytes.Buffer
	if _, err := io.Copy(&reply, res.Body); err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != good {
		b.Fatalf("status %d, want %d: %s", res.StatusCode, good, &reply)
	}
}

// BenchmarkHeartbeat compares the server processor time of a heartbeat, of many
// nodes in turn, with that of a 204 by bare net/http that reads the same body on
// as many connections. Limit: 1.3 ×.
func BenchmarkHeartbeat(b *testing.B) {
	p := startBenchProcess(b, benchBeats)
	ca := benchAuthority()
	ours := dialBeats(b, ca, p.registry, http.StatusOK)
	theirs := dialBeats(b, ca, p.static, http.StatusNoContent)
	b.Run("nodes=256", func(b *testing.B) {
		const turns = 8
		each := max(beatNodes, b.N/turns)
		var own, bare int64
		for range turns {
			before := p.used(b)
			beatInTurn(b, theirs, each)
			between := p.used(b)
			beatInTurn(b, ours, each)
			bare, own = bare+between-before, own+p.used(b)-between
		}
		beats := float64(turns * each)
		ratio := float64(own) / float64(max(bare, 1))
		b.ReportMetric(float64(bare)/beats, "bare-µs/op")
		b.ReportMetric(float64(own)/beats, "registry-µs/op")
		b.ReportMetric(ratio, "ratio")
		b.Logf("%s: a heartbeat takes %.1f µs, %.2f × the %.1f µs of a bare 204 (limit %.1f ×)",
			verdict(ratio, limitHeartbeat), float64(own)/beats, ratio, float64(bare)/beats, limitHeartbeat)
	})
}

func beatInTurn(b *testing.B, callers []*beatCaller, times int) {
	b.Helper()
	for i := range times {
		callers[i%len(callers)].beat(b)
	}
}

// verdict says whether a figure is within its limit.
func verdict(figure, limit float64) string {
	if figure > limit {
		return "FAIL"
	}
	return "PASS"
}
