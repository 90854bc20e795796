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
	// Colour is that of a cell, by column from 0 and text; nil: all are plain.
	Colour func(column int, cell string) Colour
}

// A Printer writes results in the format that the user chose. It is not safe
// for concurrent use.
type Printer struct {
	w      io.Writer
	format string
	colour bool         // of tables
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
	shown := p.shown(t.Table())
	for _, row := range shown.Rows {
		var cells []string
		for _, cell := range row {
			if cell != "" {
				cells = append(cells, cell)
			}
		}
		b.WriteString(shown.paint(strings.Join(cells, "  "), row) + "\n")
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
			return p.shown(t.Table()).render()
		}
	}
	return encodeYAML(v)
}

// shown returns the table with each cell on its line, and in colours only where
// they are wanted.
func (p *Printer) shown(t Table) Table {
	if !p.colour {
		t.Colour = nil
	}
	rows := make([][]string, 0, len(t.Rows))
	for _, row := range t.Rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			cells = append(cells, oneLine(cell))
		}
		rows = append(rows, cells)
	}
	t.Rows = rows
	return t
}

func lines(names []string) []byte {
	var b bytes.Buffer
	for _, name := range names {
		b.WriteString(name + "\n")
	}
	return b.Bytes()
}

// render lays the table out, its cells being as [Printer.shown] leaves them.
func (t Table) render() ([]byte, error) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head := 0
	rows := t.Rows
	if len(t.Header) > 0 {
		head, rows = 1, append([][]string{t.Header}, rows...)
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return nil, fmt.Errorf("laying out the table: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("laying out the table: %w", err)
	}
	return t.painted(b.Bytes(), head), nil
}

// painted colours a layout, but for the lines of its head.
func (t Table) painted(layout []byte, head int) []byte {
	if t.Colour == nil {
		return layout
	}
	laid := strings.SplitAfter(string(layout), "\n")
	for i, row := range t.Rows {
		laid[head+i] = t.paint(laid[head+i], row)
	}
	return []byte(strings.Join(laid, ""))
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
