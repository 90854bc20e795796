package registry_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/neurons-me/netget/identity"
)

// An h2conn is a caller over HTTP/2 who sends frames as it likes.
type h2conn struct {
	*http2.Framer
	t       *testing.T
	raw     net.Conn
	host    string
	block   bytes.Buffer
	headers *hpack.Encoder
	stream  uint32 // the last one opened
}

// dialH2 makes a connection of frames out of raw, and sends settings.
func dialH2(t *testing.T, w *world, raw net.Conn, cred *identity.Credential, settings ...http2.Setting) *h2conn {
	t.Helper()
	c := tls.Client(raw, &tls.Config{ //nolint:forbidigo // the caller that does not behave
		ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, NextProtos: []string{"h2"},
		Certificates: []tls.Certificate{*cred.TLS()},
	})
	t.Cleanup(func() { _ = raw.Close() })
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &h2conn{Framer: http2.NewFramer(c, c), t: t, raw: raw, host: w.ca.TD.RegistryName()}
	h.headers = hpack.NewEncoder(&h.block)
	h.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.AllowIllegalWrites = true
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return h
}

// encode returns a header block.
func (h *h2conn) encode(fields ...string) []byte {
	h.t.Helper()
	h.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := h.headers.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			h.t.Fatal(err)
		}
	}
	return h.block.Bytes()
}

// request opens a stream with a request; body tells that one follows.
func (h *h2conn) request(method, path string, body bool, fields ...string) error {
	h.t.Helper()
	h.stream += 2 - (h.stream+1)&1
	block := h.encode(append([]string{":method", method, ":scheme", "https", ":authority", h.host, ":path", path}, fields...)...)
	return h.WriteHeaders(http2.HeadersFrameParam{StreamID: h.stream, BlockFragment: block, EndHeaders: true, EndStream: !body})
}

// status reads until a stream is answered and returns the status, the code of its
// reset, or "ended" with the connection.
func (h *h2conn) status(stream uint32) string {
	h.t.Helper()
	for {
		f, err := h.ReadFrame()
		if err != nil {
			return "ended"
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return f.ErrCode.String()
			}
		}
	}
}

// drain reads frames until the connection ends.
func (h *h2conn) drain() {
	for {
		_, err := h.ReadFrame()
		var stream http2.StreamError
		if err != nil && !errors.As(err, &stream) {
			return
		}
	}
}
