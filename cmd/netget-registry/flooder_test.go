package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
)

// floodJobVar holds the job of a process of this test binary that only makes
// connections, see [runFlooder].
const floodJobVar = "NETGET_TEST_FLOOD"

// A floodJob is what one flooder does.
type floodJob struct {
	Kind       string
	Address    string // of the registry
	Count      int
	Pace       int      // connections made in a second
	Net        byte     // from addresses 127.0.<net>.x
	Identities []string // folders; of those who authenticate
}

// A floodReport is what a flooder tells: first that its connections are open,
// then how they have ended.
type floodReport struct {
	Open     bool
	Closings []closing
	Err      string
}

// runFlooder does a job and writes two reports.
func runFlooder(job string, out io.Writer) error {
	var j floodJob
	if err := json.Unmarshal([]byte(job), &j); err != nil {
		return err
	}
	reports := json.NewEncoder(out)
	conns, refused, err := j.connect(context.Background())
	if err != nil {
		return reports.Encode(floodReport{Err: err.Error()})
	}
	switch j.Kind {
	case handshakeFlood:
		defer drip(conns, handshakeBit)()
	case headerFlood:
		defer drip(conns, headerBit)()
	}
	if err := reports.Encode(floodReport{Open: true}); err != nil {
		return err
	}
	return reports.Encode(floodReport{Closings: watch(conns, refused)})
}

// A flooder is a process that makes connections. What it costs should be
// another machine's: it runs at the lowest priority.
type flooder struct {
	cmd     *exec.Cmd
	reports *json.Decoder
	stderr  *bytes.Buffer
}

func startFlooder(t *testing.T, job floodJob) *flooder {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &flooder{cmd: exec.CommandContext(t.Context(), "nice", "-n", "19", self), stderr: &bytes.Buffer{}}
	f.cmd.Env, f.cmd.Stderr = append(os.Environ(), floodJobVar+"="+string(text)), f.stderr
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	f.reports = json.NewDecoder(out)
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.end)
	return f
}

// read waits for the next report. It may be called beside the test's goroutine.
func (f *flooder) read(t *testing.T) floodReport {
	t.Helper()
	var r floodReport
	if err := f.reports.Decode(&r); err != nil {
		t.Errorf("a flooder ended: %v\n%s", err, f.stderr)
	}
	if r.Err != "" {
		t.Errorf("a flooder could not connect: %s", r.Err)
	}
	return r
}

// end ends the process and with it its connections.
func (f *flooder) end() {
	_ = f.cmd.Process.Kill() // it may have ended
	_ = f.cmd.Wait()
}
