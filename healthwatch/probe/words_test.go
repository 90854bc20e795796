package probe_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/identity"
)

// A node may name an endpoint that is not its own, and is told what a probe met
// there: nothing of that is the other side's words.
func TestProbeRepeatsNothingOfTheOtherSide(t *testing.T) {
	const notHTTP, broken, gone, noTLS, alert = "its answer is not HTTP", "its HTTP/2 is broken", "it ended the connection", "its answer is not TLS", "it refuses by TLS"
	says := func(text string) func(*probeLab) pushy {
		return func(*probeLab) pushy {
			return after(func(c net.Conn) { _, _ = io.WriteString(c, text); _ = c.Close() })
		}
	}
	inTLS := func(text string) func(*probeLab) pushy {
		return func(lab *probeLab) pushy {
			return within(lab, "http/1.1", after(func(c net.Conn) { _, _ = io.WriteString(c, text); _ = c.Close() }))
		}
	}
	inHTTP2 := func(write func(f *http2.Framer)) func(*probeLab) pushy {
		return func(lab *probeLab) pushy { return within(lab, "h2", h2(write)) }
	}
	answers := func(pairs ...string) func(*probeLab) pushy {
		return inHTTP2(func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(pairs...), EndHeaders: true, EndStream: true})
		})
	}
	rows := []struct {
		name   string
		kind   identity.CheckType
		server func(*probeLab) pushy
		want   string
	}{
		{"the banner of SSH", identity.CheckHTTP, says("SSH-2.0-OpenSSH_9.6 hunter2\r\n"), notHTTP},
		{"the banner of a mail server, within TLS", identity.CheckHTTPS, inTLS("220 hunter2 ESMTP\r\n"), notHTTP},
		{"what a terminal would obey", identity.CheckHTTP, says("\x1b[2J\u202e\xff hunter2\r\n\r\n"), notHTTP},
		{"a status line of words", identity.CheckHTTP, says("HTTP/1.1 hunter2\r\n\r\n"), notHTTP},
		{"another version", identity.CheckHTTP, says("HTTP/hunter2 200 OK\r\n\r\n"), notHTTP},
		{"a header that is none", identity.CheckHTTP, says("HTTP/1.1 200 OK\r\nhunter2\r\n\r\n"), notHTTP},
		{"a length that is none", identity.CheckHTTP, says("HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n"), notHTTP},
		{"an unknown coding", identity.CheckHTTP, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\n"), notHTTP},
		{"a reason", identity.CheckHTTP, says("HTTP/1.1 503 hunter2\r\n\r\n"), "HTTP status 503"},
		{"half a line", identity.CheckHTTP, says("hunter2"), notHTTP},
		{"silence and an end", identity.CheckHTTP, says(""), gone},

		{"no TLS", identity.CheckMTLS, says("hunter2"), noTLS},
		{"a record of another version", identity.CheckMTLS, says("\x16\x07\x07\x00\x07hunter2"), "the TLS handshake failed"},
		{"an alert that does not exist", identity.CheckMTLS, says("\x15\x03\x03\x00\x02\x02\x7b"), alert},
		{"an alert of another kind", identity.CheckMTLS, says("\x15\x03\x03\x00\x02\x02\x28"), alert},
		{"an unexpected message", identity.CheckMTLS, says("\x16\x03\x03\x00\x0b\x14\x00\x00\x07hunter2"), "the TLS handshake failed"},
		{"a broken message", identity.CheckMTLS, says("\x16\x03\x03\x00\x0b\x02\x00\x00\x07hunter2"), "the TLS handshake failed"},
		{"half a record", identity.CheckMTLS, says("\x16\x03\x03\x00\x0bhunter2"), gone},

		{"no HTTP/2", identity.CheckHTTPS, func(lab *probeLab) pushy {
			return within(lab, "h2", after(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 hunter2\r\n\r\n") }))
		}, "it does not speak HTTP/2"},
		{"a leave with words", identity.CheckHTTPS, inHTTP2(func(f *http2.Framer) {
			_ = f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("hunter2"))
		}), broken},
		{"a reset of another kind", identity.CheckHTTPS, inHTTP2(func(f *http2.Framer) { _ = f.WriteRSTStream(1, 0x68756e74) }), broken},
		{"a status of words", identity.CheckHTTPS, answers(":status", "hunter2"), broken},
		{"a status of many digits", identity.CheckHTTPS, answers(":status", "1234567890"), "no HTTP status"},
		{"a status with a sign", identity.CheckHTTPS, answers(":status", "-200"), "no HTTP status"},
		{"a header name that is none", identity.CheckHTTPS, answers(":status", "200", "Hunter2", ""), broken},
		{"an unknown pseudo-header", identity.CheckHTTPS, answers(":status", "200", ":hunter2", ""), broken},
		{"a status of gRPC that is none", identity.CheckGRPC, answers(":status", "200", "grpc-status", "hunter2", "grpc-message", "hunter2"), "no gRPC status"},
		{"a message of gRPC", identity.CheckGRPC, answers(":status", "200", "grpc-status", "14", "grpc-message", "hunter2"), "gRPC status 14"},
		{"a status of gRPC that a terminal would obey", identity.CheckGRPC, answers(":status", "200", "grpc-status", "\u009b2J"), "no gRPC status"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := newProbeLab(t)
				done := make(chan struct{})
				dial := func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() { defer close(done); row.server(lab)(far); drain(far) }()
					return near, nil
				}
				wantProbe(t, lab.prober.WithDial(dial).Probe(t.Context(), lab.target(row.kind, netip.MustParseAddrPort("127.0.0.1:5432"))), row.want)
				<-done
			})
		})
	}
}
