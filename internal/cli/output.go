package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
	"text/tabwriter"
)

// The output formats, the values of -o.
const (
	FormatTable = "table"
	FormatJSON  = "json"
	FormatYAML  = "yaml"
	FormatName  = "name"
)

// A Result is what a command prints: a struct whose JSON form is described in
// docs/cli.md. Results that also have a method Table() Table choose what
// people see; the others are shown as YAML.
type Result interface {
	// Names returns what -o name prints, one a line: identities, services,
	// serials, networks or a token.
	Names() []string
}

// A Table is a result for people. Without header and with one cell it is that
// cell alone on a line.
type Table struct {
	Header []string
	Rows   [][]string
}

// A Printer writes results in the format that the user chose. It is not safe
// for concurrent use.
type Printer struct {
	w      io.Writer
	format string
	lasts  *atomic.Bool // set by Announce; nil: nobody asks
}

// NewPrinter returns a printer of one of the formats above to w.
func NewPrinter(w io.Writer, format string) *Printer { return &Printer{w: w, format: format} }

// Print writes v. In JSON and YAML nil slices become [], nil maps {}, and
// times are in UTC with whole seconds.
func (p *Printer) Print(v Result) error {
	text, err := p.render(v)
	if err != nil {
		return fmt.Errorf("rendering the output: %w", err)
	}
	if _, err := p.w.Write(text); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// PrintLine writes v as one of many that come one after the other: on one line,
// as JSON, as its name, or for people as the cells of its table without header.
func (p *Printer) PrintLine(v Result) error {
	text, err := p.renderLine(v)
	if err != nil {
		return fmt.Errorf("rendering the output: %w", err)
	}
	if _, err := p.w.Write(text); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func (p *Printer) renderLine(v Result) ([]byte, error) {
	if p.format == FormatName {
		return lines(v.Names()), nil
	}
	t, ok := v.(interface{ Table() Table })
	if p.format != FormatTable || !ok {
		return encodeJSON(v, "")
	}
	var b bytes.Buffer
	for _, row := range t.Table().Rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			if cell = oneLine(cell); cell != "" {
				cells = append(cells, cell)
			}
		}
		b.WriteString(strings.Join(cells, "  ") + "\n")
	}
	return b.Bytes(), nil
}

func (p *Printer) render(v Result) ([]byte, error) {
	switch p.format {
	case FormatJSON:
		return encodeJSON(v, "  ")
	case FormatName:
		return lines(v.Names()), nil
	case FormatTable:
		if t, ok := v.(interface{ Table() Table }); ok {
			return t.Table().render()
		}
	}
	return encodeYAML(v)
}

func lines(names []string) []byte {
	var b bytes.Buffer
	for _, name := range names {
		b.WriteString(name + "\n")
	}
	return b.Bytes()
}

func (t Table) render() ([]byte, error) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	rows := t.Rows
	if len(t.Header) > 0 {
		rows = append([][]string{t.Header}, rows...)
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneLine(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return nil, fmt.Errorf("laying out the table: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("laying out the table: %w", err)
	}
	return b.Bytes(), nil
}

// encodeJSON returns v as one line, or indented.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(settle(reflect.ValueOf(v)).Interface()); err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return b.Bytes(), nil
}
