package registry_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/registry"
)

// HTTP/2 has messages that ask nothing and that no limit of requests counts. All
// that an identity sends has a pace, so they cost the registry little; and the
// others none.
func TestWhatAnIdentitySendsHasAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		conf := &tls.Config{
			ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, NextProtos: []string{"h2"},
			Certificates: []tls.Certificate{*w.ca.Issue(w.ca.ID("client", "loud")).TLS()},
		}
		loud := tls.Client(l.dial(), conf) //nolint:forbidigo // the caller that does not behave
		if err := loud.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, loud) }()
		if _, err := io.WriteString(loud, http2.ClientPreface); err != nil {
			t.Fatal(err)
		}
		const messages = 24_000 // of 140 bytes
		began := time.Now()
		var flood []byte
		for range 10 {
			flood = append(flood, 0, 0, 5, byte(http2.FramePriority), 0, 0, 0, 0, 1, 0, 0, 0, 3, 1)
		}
		if _, err := loud.Write([]byte{0, 0, 0, byte(http2.FrameSettings), 0, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		quiet := over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "quiet")))
		for i := range messages {
			if _, err := loud.Write(flood); err != nil {
				t.Fatal(err)
			}
			if i%(messages/4) == 0 {
				asked := time.Now()
				want(t, get(t, "/v1/head", quiet), http.StatusOK)
				if took := time.Since(asked); took > time.Second {
					t.Errorf("another waited %s", took)
				}
			}
		}
		// Of 3.4 MB one goes at once, the rest with 256 KiB a second.
		if took := time.Since(began); took < 8*time.Second {
			t.Errorf("%d bytes were read within %s", messages*len(flood), took)
		}
		_ = loud.Close()
	})
}

// A connection that has ended waits for nothing, and none for long: what its
// identity sends on many others would otherwise pile up here.
func TestConnectionsThatHaveEndedDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		conf := &tls.Config{
			ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, NextProtos: []string{"h2"}, DynamicRecordSizingDisabled: true,
			Certificates: []tls.Certificate{*w.ca.Issue(w.ca.ID("client", "loud")).TLS()},
		}
		flood := append([]byte(http2.ClientPreface), 0, 0, 0, byte(http2.FrameSettings), 0, 0, 0, 0, 0)
		for range 2000 {
			flood = append(flood, 0, 0, 5, byte(http2.FramePriority), 0, 0, 0, 0, 1, 0, 0, 0, 3, 1)
		}
		var talking sync.WaitGroup
		defer talking.Wait()
		for range 1000 {
			c := tls.Client(l.dial(), conf) //nolint:forbidigo // the caller that does not behave
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			talking.Go(func() { _, _ = io.Copy(io.Discard, c) })
			talking.Go(func() { _, _ = c.Write(flood) })
			time.Sleep(5 * time.Millisecond)
			_ = c.NetConn().Close()
		}
		stacks := make([]byte, 64<<20)
		if waiting := bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("registry.(*conn).Read(")); waiting > 256 {
			t.Errorf("%d reads are under way of one identity, which may have 256 connections", waiting)
		}
	})
}

// Whoever has sent more than it may in the time of a request loses the connection
// rather than to have it wait.
func TestConnectionsDoNotWaitLongerThanARequestMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seconds, want := range map[int]bool{14: true, 16: false} {
			client, server := net.Pipe()
			began := time.Now()
			lives := registry.PaceOf(server, seconds*(256<<10))
			if waited := time.Since(began); lives != want || want && waited < 14*time.Second || !want && waited != 0 {
				t.Errorf("%d s too early: lives %v after %s", seconds, lives, waited)
			}
			_ = server.Close()
			_ = client.Close()
		}
	})
}
