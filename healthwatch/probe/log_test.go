package probe_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// net/http has lines for the program's log about servers that do not behave. None
// of them may come from a probe, or each node could fill that log.
func TestProbeWritesNoLog(t *testing.T) {
	before := slog.Default()
	var written bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&written, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	rows := map[string]struct {
		kind   identity.CheckType
		server func(lab *probeLab) pushy
	}{
		"an answer before the request": {identity.CheckHTTP, func(*probeLab) pushy {
			return func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") }
		}},
		"an answer before the request, within TLS": {identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "http/1.1", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })
		}},
		"more than an answer": {identity.CheckHTTP, func(*probeLab) pushy {
			return after(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore") })
		}},
		"a frame before the settings": {identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", after(func(c net.Conn) { _ = http2.NewFramer(c, nil).WritePing(false, [8]byte{}) }))
		}},
		"data before the header": {identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) { _ = f.WriteData(1, false, []byte("a")) }))
		}},
		"data after a provisional header": {identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "103"), EndHeaders: true})
				_ = f.WriteData(1, false, []byte("a"))
			}))
		}},
		"data of a stream of nobody": {identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) { _ = f.WriteData(3, false, []byte("a")) }))
		}},
		"data of a stream of nobody, within the answer": {identity.CheckGRPC, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200"), EndHeaders: true})
				_ = f.WriteData(3, false, []byte("a"))
			}))
		}},
		"data after the end of the header": {identity.CheckGRPC, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200"), EndHeaders: true, EndStream: true})
				_ = f.WriteData(1, false, []byte("a"))
			}))
		}},
		"data after the end": {identity.CheckGRPC, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200"), EndHeaders: true})
				_ = f.WriteData(1, true, []byte("a"))
				_ = f.WriteData(1, false, []byte("a"))
			}))
		}},
		"all that an answer may have": {identity.CheckGRPC, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				for range 2 {
					_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "103"), EndHeaders: true})
				}
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200"), EndHeaders: true})
				_ = f.WriteData(1, false, []byte{0, 0, 0, 0, 2})
				_ = f.WriteData(1, false, []byte{8, 1})
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers("grpc-status", "0"), EndHeaders: true, EndStream: true})
			}))
		}},
		"unknown frames": {identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", h2(func(f *http2.Framer) {
				for range 9 {
					_ = f.WriteRawFrame(200, 0, 0, make([]byte, 9))
				}
				_ = f.WritePriority(1, http2.PriorityParam{StreamDep: 3})
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200"), EndHeaders: true, EndStream: true})
			}))
		}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := newProbeLab(t)
				done := make(chan struct{})
				dial := func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() { defer close(done); row.server(lab)(far); drain(far) }()
					return near, nil
				}
				err := lab.prober.WithDial(dial).Probe(t.Context(), lab.target(row.kind, netip.MustParseAddrPort("127.0.0.1:5432")))
				<-done
				synctest.Wait()
				switch name {
				case "unknown frames", "more than an answer", "all that an answer may have":
					wantProbe(t, err, "")
				}
			})
			if written.Len() > 0 {
				t.Errorf("written: %s", written.Bytes())
				written.Reset()
			}
		})
	}
}

// An answer that comes before its request is not read: of its data net/http
// would say that nobody asked for it.
func TestAnswersBeforeTheirRequestAreNotRead(t *testing.T) {
	for _, asked := range []bool{false, true} {
		var said bytes.Buffer
		f := http2.NewFramer(&said, nil)
		_ = f.WriteSettings()
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(":status", "200"), EndHeaders: true})
		_ = f.WriteData(1, true, []byte("a"))
		all := bytes.Clone(said.Bytes())
		conn, trace := probe.KnownFrames(readConn{Reader: &said})
		want, wantErr := all[:9], "its HTTP/2 is broken"
		if asked {
			trace.WroteHeaderField(":method", []string{"GET"})
			want, wantErr = all, ""
		}
		got, err := io.ReadAll(conn)
		wantProbe(t, err, wantErr)
		if !bytes.Equal(got, want) {
			t.Errorf("asked %t: read %x, want %x", asked, got, want)
		}
	}
}

// A readConn can only be read.
type readConn struct {
	net.Conn
	io.Reader
}

// Read reads.
func (c readConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }
