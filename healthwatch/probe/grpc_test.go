package probe_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// answerGRPC answers a call with a body and a status in the trailers.
func answerGRPC(w http.ResponseWriter, status string, body ...byte) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write(body)
	w.Header().Set("Grpc-Status", status)
}

func TestProbeGRPC(t *testing.T) {
	lab := newProbeLab(t).patient()
	rows := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"serving", func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != "\x00\x00\x00\x00\x00" || r.Method != http.MethodPost || r.URL.Path != "/grpc.health.v1.Health/Check" ||
				r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("TE") != "trailers" || r.ProtoMajor != 2 {
				w.WriteHeader(http.StatusTeapot)
				return
			}
			answerGRPC(w, "0", 0, 0, 0, 0, 2, 8, 1)
		}, ""},
		{"not serving", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "0", 0, 0, 0, 0, 2, 8, 2) }, "serving status 2"},
		{"unknown, the default", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "0", 0, 0, 0, 0, 0) }, "serving status 0"},
		{"not implemented, by trailers alone", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Grpc-Status", "12")
			w.Header().Set("Content-Type", "application/grpc")
		}, "gRPC status 12"},
		{"well by trailers alone, without a message", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Grpc-Status", "0") }, "not a gRPC message"},
		{"unavailable after a message", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "14", 0, 0, 0, 0, 2, 8, 1) }, "gRPC status 14"},
		{"a status that is none", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "00", 0, 0, 0, 0, 2, 8, 1) }, "no gRPC status"},
		{"the greatest status", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "16", 0, 0, 0, 0, 2, 8, 1) }, "gRPC status 16"},
		{"a status that does not exist", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "17", 0, 0, 0, 0, 2, 8, 1) }, "no gRPC status"},
		{"a status with a sign", func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "+1", 0, 0, 0, 0, 2, 8, 1) }, "no gRPC status"},
		{"no status", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, 1}) }, "no gRPC status"},
		{"no status on an answer without a body", func(http.ResponseWriter, *http.Request) {}, "no gRPC status"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "no gRPC status"},
		{"another HTTP status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "HTTP status 502"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "HTTP status 307"},
		{"two messages", func(w http.ResponseWriter, _ *http.Request) {
			answerGRPC(w, "0", 0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 1)
		}, "not a gRPC message"},
		{"a large message", func(w http.ResponseWriter, _ *http.Request) {
			answerGRPC(w, "0", make([]byte, 5<<10)...)
		}, "it says more than a probe reads"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			at := serve(t, nodeTLS(lab.ca.Issue(lab.node).TLS(), "h2"), row.answer)
			wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckGRPC, at)), row.want)
		})
	}
	serving := func(w http.ResponseWriter, _ *http.Request) { answerGRPC(w, "0", 0, 0, 0, 0, 2, 8, 1) }
	t.Run("a server that speaks HTTP/1.1 alone", func(t *testing.T) {
		at := serve(t, nodeTLS(lab.ca.Issue(lab.node).TLS(), "http/1.1"), serving)
		wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckGRPC, at)), "it refuses by TLS")
	})
}

func TestServing(t *testing.T) {
	rows := []struct {
		name, message string // after the prefix
		want          string
	}{
		{"serving", "\x08\x01", ""},
		{"serving, in more bytes than it takes", "\x08\x81\x80\x00", ""},
		{"the last status counts", "\x08\x02\x08\x01", ""},
		{"the last status counts, a bad one too", "\x08\x01\x08\x02", "serving status 2"},
		{"service unknown", "\x08\x03", "serving status 3"},
		{"a status is cut to 32 bits", "\x08\x81\x80\x80\x80\x10", ""},
		{"a negative status", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "serving status -1"},
		{"a status too large", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "not a health check response"},
		{"an unknown varint", "\x10\x05\x08\x01", ""},
		{"an unknown fixed64", "\x11\xff\xff\xff\xff\xff\xff\xff\xff\x08\x01", ""},
		{"unknown bytes that look like a status", "\x12\x02\x08\x02\x08\x01", ""},
		{"unknown bytes that look like a good status", "\x12\x02\x08\x01", "serving status 0"},
		{"an unknown fixed32", "\x15\xff\xff\xff\xff\x08\x01", ""},
		{"an unknown group with a status in it", "\x13\x08\x02\x14\x08\x01", ""},
		{"a group within a group", "\x13\x1b\x08\x02\x1c\x14\x08\x01", ""},
		{"many groups within groups", strings.Repeat("\x13", 99) + strings.Repeat("\x14", 99) + "\x08\x01", ""},
		{"a status of another kind is unknown", "\x0a\x01\x01", "serving status 0"},
		{"the greatest field number", "\xf8\xff\xff\xff\x0f\x01\x08\x01", ""},
		{"a field number too large", "\x80\x80\x80\x80\x10\x01\x08\x01", "not a health check response"},
		{"field number 0", "\x00\x01\x08\x01", "not a health check response"},
		{"a kind that does not exist", "\x16\x08\x01", "not a health check response"},
		{"a varint cut off", "\x08", "not a health check response"},
		{"a tag cut off", "\x08\x01\x80", "not a health check response"},
		{"bytes cut off", "\x08\x01\x12\x02\x08", "not a health check response"},
		{"bytes of an enormous length", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x01", "not a health check response"},
		{"a fixed64 cut off", "\x08\x01\x11\x00", "not a health check response"},
		{"a group without end", "\x08\x01\x13\x08\x02", "not a health check response"},
		{"an end without group", "\x14\x08\x01", "not a health check response"},
		{"the end of another group", "\x13\x1c\x08\x01", "not a health check response"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			body := append([]byte{0, 0, 0, 0, byte(len(row.message))}, row.message...)
			wantProbe(t, probe.CheckServing(body), row.want)
		})
	}
	for name, body := range map[string]string{
		"nothing": "", "half a prefix": "\x00\x00\x00", "a compressed message": "\x01\x00\x00\x00\x02\x08\x01",
		"a length too small": "\x00\x00\x00\x00\x01\x08\x01", "a length too large": "\x00\x00\x00\x00\x03\x08\x01", "an enormous length": "\x00\xff\xff\xff\xff\x08\x01",
	} {
		t.Run(name, func(t *testing.T) { wantProbe(t, probe.CheckServing([]byte(body)), "not a gRPC message") })
	}
}

// FuzzServing looks for an answer that ends a registry, or that says two things
// at once: whatever is serving is not any more after a later status.
func FuzzServing(f *testing.F) {
	for _, seed := range []string{"\x08\x01", "\x12\x02\x08\x02\x08\x01", "\x13\x1b\x08\x02\x1c\x14\x08\x01", "\x11\x08\x02\x08\x02\x08\x02\x08\x02", "\x15\x08", "\x14"} {
		f.Add([]byte(seed))
	}
	with := func(message []byte) []byte {
		return append([]byte{0, byte(len(message) >> 24), byte(len(message) >> 16), byte(len(message) >> 8), byte(len(message))}, message...)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		_ = probe.CheckServing(message)
		if probe.CheckServing(with(message)) != nil {
			return
		}
		if err := probe.CheckServing(with(append(slices.Clip(message), 8, 2))); err == nil || err.Error() != "serving status 2" {
			t.Errorf("got %v of %x and a later status", err, message)
		}
	})
}
