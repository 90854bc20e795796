package probe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// A countedConn counts what is read.
type countedConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// A pushy is a server that is given the other end of a probe's connection. It
// ends when reading or writing fails.
type pushy func(c net.Conn)

// repeat writes something again and again, pause apart.
func repeat(c io.Writer, text string, pause time.Duration) {
	ticker := time.NewTicker(max(pause, 1))
	defer ticker.Stop()
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		if pause > 0 {
			<-ticker.C
		}
	}
}

// drain reads until the end.
func drain(c io.Reader) { _, _ = io.Copy(io.Discard, c) }

// after reads a request, in the background all that follows it, and then goes on
// with next.
func after(next pushy) pushy {
	return func(c net.Conn) {
		if _, err := c.Read(make([]byte, 1<<10)); err != nil {
			return
		}
		done := make(chan struct{})
		go func() { defer close(done); drain(c) }()
		next(c)
		<-done
	}
}

// within speaks TLS as the node, and then as next.
func within(lab *probeLab, protocol string, next pushy) pushy {
	return func(c net.Conn) {
		defer drain(c)
		conf := nodeTLS(lab.ca.Issue(lab.node).TLS(), protocol)
		if protocol == "" {
			conf.NextProtos = nil
		}
		s := tls.Server(c, conf) //nolint:forbidigo // the node that does not behave
		if s.Handshake() == nil {
			next(s)
		}
	}
}

// h2 waits for a request by HTTP/2 and goes on with next, while the other side is
// read.
func h2(next func(f *http2.Framer)) pushy {
	return func(c net.Conn) {
		f := http2.NewFramer(c, c)
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil || f.WriteSettings() != nil {
			return
		}
		for asked := false; !asked; {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			_, asked = frame.(*http2.HeadersFrame)
		}
		done := make(chan struct{})
		go func() { defer close(done); drain(c) }()
		next(f)
		<-done
	}
}

// headers is a block of HPACK.
func headers(pairs ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return b.Bytes()
}

// forever repeats writing a frame until that fails.
func forever(write func() error) {
	for write() == nil {
	}
}

func silent(c net.Conn) { drain(c) }

// Whatever a server does, a probe ends within 2 s, has read little, leaves no
// goroutine and no connection: the bubble would wait for them for ever.
func TestProbeIsBounded(t *testing.T) {
	const wire, plain = 48 << 10, 4 << 10
	tooMuch, late := "it says more than a probe reads", "no answer within 2s"
	h2headers := func(f *http2.Framer, pairs ...string) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(pairs...), EndHeaders: true})
	}
	rows := []struct {
		name   string
		kind   identity.CheckType
		server func(lab *probeLab) pushy
		want   string // "" for success
	}{
		{"http: silence", identity.CheckHTTP, func(*probeLab) pushy { return silent }, late},
		{"http: a server that reads nothing", identity.CheckHTTP, func(*probeLab) pushy { return stuck }, late},
		{"http: a header byte by byte", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nA: ")
				repeat(c, "a", 100*time.Millisecond)
			})
		}, late},
		{"http: a header without end", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nA: ")
				repeat(c, strings.Repeat("a", 999), 0)
			})
		}, tooMuch},
		{"http: headers without end", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"); repeat(c, "A: a\r\n", 0) })
		}, tooMuch},
		{"http: a status line without end", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) { repeat(c, "HTTP/1.1 200 ", 0) })
		}, tooMuch},
		{"http: provisional answers without end", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) { repeat(c, "HTTP/1.1 103 Early Hints\r\n\r\n", 0) })
		}, tooMuch},
		{"http: provisional answers without haste", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) { repeat(c, "HTTP/1.1 103 Early Hints\r\n\r\n", 300*time.Millisecond) })
		}, late},
		{"http: a body without end", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				repeat(c, strings.Repeat("a", 999), 0)
			})
		}, ""},
		{"http: chunks without end", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				repeat(c, "1;"+strings.Repeat("a", 999)+"\r\na\r\n", 0)
			})
		}, ""},
		{"http: another protocol", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
				repeat(c, "a", 0)
			})
		}, "HTTP status 101"},
		{"http: a status below all others", identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 000 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") })
		}, "HTTP status 0"},

		{"mtls: silence", identity.CheckMTLS, func(*probeLab) pushy { return silent }, late},
		{"mtls: a server that reads nothing", identity.CheckMTLS, func(*probeLab) pushy { return stuck }, late},
		{"mtls: garbage without end", identity.CheckMTLS, func(*probeLab) pushy {
			return after(func(c net.Conn) { repeat(c, "garbage", 0) })
		}, "its answer is not TLS"},
		{"mtls: a handshake message without end", identity.CheckMTLS, func(*probeLab) pushy {
			return after(func(c net.Conn) { repeat(c, handshakeRecord(60000), 0) })
		}, tooMuch},
		{"mtls: a handshake byte by byte", identity.CheckMTLS, func(*probeLab) pushy {
			return after(func(c net.Conn) {
				_, _ = io.WriteString(c, handshakeRecord(60000)[:9])
				repeat(c, "\x00", 100*time.Millisecond)
			})
		}, late},
		{"mtls: talk after the handshake", identity.CheckMTLS, func(lab *probeLab) pushy {
			return within(lab, "", func(c net.Conn) { repeat(c, strings.Repeat("a", 9999), 0) })
		}, ""},
		{"mtls: silence after the handshake", identity.CheckMTLS, func(lab *probeLab) pushy { return within(lab, "", stuck) }, ""},

		{"https: silence", identity.CheckHTTPS, func(lab *probeLab) pushy { return within(lab, "http/1.1", silent) }, late},
		{"https: a server that reads nothing", identity.CheckHTTPS, func(lab *probeLab) pushy { return within(lab, "http/1.1", stuck) }, late},
		{"https: provisional answers without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "http/1.1", after(func(c net.Conn) { repeat(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 99), 0) }))
		}, tooMuch},
		{"https: a body without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "http/1.1", after(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				repeat(c, strings.Repeat("a", 9999), 0)
			}))
		}, ""},
		{"https: HTTP/2 and silence", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(*http2.Framer) {}))
		}, late},
		{"https: HTTP/2 and a server that reads nothing", identity.CheckHTTPS, func(lab *probeLab) pushy { return within(lab, "h2", stuck) }, late},
		{"https: HTTP/2 and pings whose answers are not read", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", func(c net.Conn) {
				f := http2.NewFramer(c, nil)
				_ = f.WriteSettings()
				forever(func() error { return f.WritePing(false, [8]byte{}) })
			})
		}, late},
		{"https: HTTP/2 and pings without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				forever(func() error { return f.WritePing(false, [8]byte{}) })
			}))
		}, tooMuch},
		{"https: HTTP/2 and unknown frames without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				forever(func() error { return f.WriteRawFrame(200, 0, 0, make([]byte, 9999)) })
			}))
		}, tooMuch},
		{"https: HTTP/2 and headers without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200")})
				forever(func() error { return f.WriteContinuation(1, false, headers("a", strings.Repeat("a", 999))) })
			}))
		}, "its HTTP/2 is broken"},
		{"https: HTTP/2 and provisional answers without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				forever(func() error { return h2headers(f, ":status", "103") })
			}))
		}, tooMuch},
		{"https: HTTP/2 and a body without end", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = h2headers(f, ":status", "200")
				forever(func() error { return f.WriteData(1, false, make([]byte, 9999)) })
			}))
		}, ""},
		{"https: HTTP/2 and a refusal", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream) }))
		}, "its HTTP/2 is broken"},

		{"grpc: silence", identity.CheckGRPC, func(lab *probeLab) pushy { return within(lab, "h2", h2(func(*http2.Framer) {})) }, late},
		{"grpc: an answer without end", identity.CheckGRPC, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) { _ = h2headers(f, ":status", "200", "grpc-status", "0") }))
		}, late},
		{"grpc: a message without end", identity.CheckGRPC, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = h2headers(f, ":status", "200")
				forever(func() error { return f.WriteData(1, false, make([]byte, 999)) })
			}))
		}, tooMuch},
		{"grpc: an old server without ALPN", identity.CheckGRPC, func(lab *probeLab) pushy { return within(lab, "", silent) }, "it does not speak HTTP/2"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := newProbeLab(t)
				var read atomic.Int64
				var servers sync.WaitGroup
				contacts := 0
				begin := time.Now()
				dial := func(context.Context, string, string) (net.Conn, error) {
					contacts++
					near, far := net.Pipe()
					servers.Go(func() { row.server(lab)(far); drain(far) })
					return countedConn{near, &read}, nil
				}
				err := lab.prober.WithDial(dial).Probe(t.Context(), lab.target(row.kind, netip.MustParseAddrPort("127.0.0.1:5432")))
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("took %s", took)
				}
				if contacts != 1 {
					t.Errorf("%d contacts, want 1", contacts)
				}
				limit := int64(wire)
				if row.kind == identity.CheckHTTP {
					limit = plain
				}
				servers.Wait()
				if read.Load() > limit {
					t.Errorf("read %d bytes, more than %d", read.Load(), limit)
				}
				wantProbe(t, err, row.want)
			})
		})
	}
}

// stuck reads nothing for as long as a probe may take, and some time more.
func stuck(net.Conn) { <-time.After(time.Minute) }

// handshakeRecord is the begin of a server's hello of so many bytes, in a record
// of 1,004 bytes.
func handshakeRecord(size int) string {
	return "\x16\x03\x03\x03\xec\x02\x00" + string([]byte{byte(size >> 8), byte(size)}) + strings.Repeat("\x00", 1000)
}

// A resolver that does not answer takes no more of a probe's time than there is,
// and what it says of itself is not repeated.
func TestProbeWithBadResolver(t *testing.T) {
	const noLookUp, noAddress = "the name could not be looked up", "the name has no address"
	rows := map[string]struct {
		resolver probe.Resolver
		want     string
		check    func(t *testing.T, err error, want string)
	}{
		"one that hangs":           {hanging{}, noLookUp, wantOwnFault},
		"one that fails":           {&names{err: errors.New("dial udp 10.0.0.53:53")}, noLookUp, wantOwnFault},
		"one that knows no such":   {&names{err: &net.DNSError{IsNotFound: true, Server: "10.0.0.53:53"}}, noAddress, wantProbe},
		"one that is broken":       {&names{err: &net.DNSError{IsTemporary: true, Server: "10.0.0.53:53"}}, noLookUp, wantOwnFault},
		"one that is late":         {&names{err: &net.DNSError{IsTimeout: true, Server: "10.0.0.53:53"}}, noLookUp, wantOwnFault},
		"one that says no address": {&names{addrs: [][]netip.Addr{{}}}, noAddress, wantProbe},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := newProbeLab(t)
				lab.prober.Resolver = row.resolver
				target := lab.target(identity.CheckTCP, netip.MustParseAddrPort("127.0.0.1:5432"))
				target.Endpoint.Address = "db-1.example"
				begin := time.Now()
				row.check(t, lab.prober.WithDial(nobody(t)).Probe(t.Context(), target), row.want)
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// The name look-up, the connection and all that follows share the 2 s.
func TestProbeSharesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := newProbeLab(t)
		lab.prober.Resolver = slow{}
		target := lab.target(identity.CheckMTLS, netip.MustParseAddrPort("127.0.0.1:5432"))
		target.Endpoint.Address = "db-1.example"
		dial := func(context.Context, string, string) (net.Conn, error) {
			<-time.After(900 * time.Millisecond)
			near, far := net.Pipe()
			go drain(far)
			return near, nil
		}
		begin := time.Now()
		wantProbe(t, lab.prober.WithDial(dial).Probe(t.Context(), target), "no answer within 2s")
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// A probe ends when whoever asked for it gives up.
func TestProbeEndsWithItsContext(t *testing.T) {
	for _, kind := range kinds()[1:] {
		synctest.Test(t, func(t *testing.T) {
			lab := newProbeLab(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			dial := func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go drain(far)
				return near, nil
			}
			begin := time.Now()
			err := lab.prober.WithDial(dial).Probe(ctx, lab.target(kind, netip.MustParseAddrPort("127.0.0.1:5432")))
			wantOwnFault(t, err, "the probe was given up")
			if took := time.Since(begin); took != time.Second {
				t.Errorf("%s: took %s", kind, took)
			}
		})
	}
}

type hanging struct{}

func (hanging) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

type slow struct{}

func (slow) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	<-time.After(900 * time.Millisecond)
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// nobody is dialled.
func nobody(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	return func(_ context.Context, _, address string) (net.Conn, error) {
		t.Errorf("%s was dialled", address)
		return nil, net.ErrClosed
	}
}
