package identity_test

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// net/http dials in goroutines of its own: a bug that a server's certificate
// brings to light there must not end the program.
func TestPanicWhileAServerIsVerifiedIsAnError(t *testing.T) {
	ca := testca.New("production", "a", now)
	registry := ca.Issue(ca.ID("registry", "one")).TLS()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: registryTLS(ca, registry, ca.Bundle(), now), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	done := make(chan struct{})
	go func() { _ = server.ServeTLS(l, "", ""); close(done) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	transport := &http.Transport{TLSClientConfig: identity.ClientTLS(ca.Source(ca.ID("databaseservice", "db-1")), func() time.Time { panic("a planted bug") })}
	t.Cleanup(transport.CloseIdleConnections)
	res, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String())
	if err == nil {
		_ = res.Body.Close()
		t.Fatalf("the server was believed: %s", res.Status)
	}
	if !strings.Contains(err.Error(), "a planted bug") {
		t.Errorf("got %v, want the panic's cause", err)
	}
}
