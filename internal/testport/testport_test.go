package testport_test

import (
	"context"
	"net"
	"runtime"
	"testing"

	"github.com/neurons-me/netget/internal/testport"
)

func TestHeldPortIsForWhoeverAsksForItAlone(t *testing.T) {
	held, release, err := testport.Hold("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for range 3 { // servers come and go
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", held); err == nil {
			_ = conn.Close()
			t.Fatal("somebody listens where nobody does")
		}
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", held)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "tcp", held)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = l.Close()
	}
}

func TestHeldPortIsGivenToNobodyElse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux keeps ports")
		return
	}
	held, release, err := testport.Hold("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, again, err := testport.Hold(held); err != nil {
		t.Errorf("the port that is held, by its number: %v", err)
	} else {
		again()
	}
	seen := map[string]bool{}
	for range 5000 {
		other, release, err := testport.Hold("127.0.0.1:0")
		if err != nil {
			t.Logf("%d ports are free: %v", len(seen), err)
			return
		}
		defer release()
		if seen[other] || other == held {
			t.Fatalf("%s is given to two", other)
		}
		seen[other] = true
	}
}
