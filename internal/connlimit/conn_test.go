package connlimit_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/internal/connlimit"
)

// one accepts one connection in memory.
type one struct{ incoming chan net.Conn }

func (l one) Accept() (net.Conn, error) { return <-l.incoming, nil }
func (one) Close() error                { return nil }
func (one) Addr() net.Addr              { return &net.TCPAddr{} }

// limited returns both ends of a connection that was let in.
func limited(t *testing.T) (client, server net.Conn) {
	t.Helper()
	client, inner := net.Pipe()
	l := one{make(chan net.Conn, 1)}
	l.incoming <- inner
	server, err := connlimit.New(roomy()).Listener(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return client, server
}

func TestWritesThatNobodyReadsEnd(t *testing.T) {
	in := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for name, row := range map[string]struct {
		deadline func() time.Time
		during   bool // the deadline is set while the write is under way
		min, max time.Duration
	}{
		"without a deadline":                  {func() time.Time { return time.Time{} }, false, 5 * time.Second, 10 * time.Second},
		"with a later one":                    {in(time.Minute), false, 5 * time.Second, 10 * time.Second},
		"with an earlier one":                 {in(time.Second), false, time.Second, time.Second},
		"with one that is over":               {in(-time.Second), false, 0, 0},
		"with a later one that comes late":    {in(time.Minute), true, 5 * time.Second, 10 * time.Second},
		"with an earlier one that comes late": {in(time.Second), true, 4 * time.Second, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server := limited(t)
				if row.during {
					go func() {
						time.Sleep(3 * time.Second)
						_ = server.SetDeadline(row.deadline())
					}()
				} else if err := server.SetDeadline(row.deadline()); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err := server.Write(make([]byte, 16<<10))
				if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < row.min || took > row.max {
					t.Errorf("the write ended after %s with %v, want the deadline within %s to %s", took, err, row.min, row.max)
				}
			})
		})
	}
}

// Who reads, however long it takes in all, is served.
func TestWritesThatAreReadGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := limited(t)
		var reading sync.WaitGroup
		defer reading.Wait()
		defer server.Close()
		reading.Go(func() {
			record := make([]byte, 16<<10)
			for {
				time.Sleep(4 * time.Second)
				for read := 0; read < len(record); {
					n, err := client.Read(record)
					if read += n; err != nil {
						return
					}
				}
			}
		})
		for range 30 {
			if _, err := server.Write(make([]byte, 16<<10)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
