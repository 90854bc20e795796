package cli

import (
	"context"
	"fmt"
	"strings"
)

// An Announcement is the one line by which a long-running command says that
// it can be used. Its JSON form has a member "ready" that is true.
type Announcement interface {
	// ReadyLine returns the line for people, without line end.
	ReadyLine() string
}

// Announce writes the line: JSON with -o json, else text. The end of ctx ends the
// wait for whoever should read it, and is no error.
func (p *Printer) Announce(ctx context.Context, a Announcement) error {
	line := []byte(oneLine(a.ReadyLine()) + "\n")
	if p.format == FormatJSON {
		var err error
		if line, err = encodeJSON(a, ""); err != nil {
			return fmt.Errorf("rendering the ready line: %w", err)
		}
	}
	if p.lasts != nil {
		p.lasts.Store(true) // also while nobody reads the line
	}
	written := make(chan error, 1)
	go func() { // nothing ends a write to a pipe that nobody reads
		_, err := p.w.Write(line)
		written <- err
	}()
	select {
	case err := <-written:
		if err != nil {
			return fmt.Errorf("writing the ready line: %w", err)
		}
	case <-ctx.Done():
	}
	return nil
}

// Ready is the announcement of a server.
type Ready struct {
	IsReady  bool     `json:"ready"`    // true; [NewReady] sets it
	Program  string   `json:"-"`        // such as "netget-registry"
	Address  string   `json:"address"`  // host:port with the real port
	Ops      string   `json:"ops"`      // URL of the operations port, or ""
	Networks []string `json:"networks"` // names
}

// NewReady returns the announcement of a server that is ready.
func NewReady(program, address, ops string, networks []string) Ready {
	return Ready{IsReady: true, Program: program, Address: address, Ops: ops, Networks: networks}
}

// ReadyLine returns, for example, "ready: netget-registry on 127.0.0.1:8438
// (operations http://127.0.0.1:8437), networks: development".
func (r Ready) ReadyLine() string {
	line := "ready: " + r.Program + " on " + r.Address
	if r.Ops != "" {
		line += " (operations " + r.Ops + ")"
	}
	if len(r.Networks) == 0 {
		return line + ", no networks"
	}
	return line + ", networks: " + strings.Join(r.Networks, ", ")
}
