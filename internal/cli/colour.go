package cli

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A Colour is how a cell of a table is shown to people at a terminal.
type Colour uint8

// The colours.
const (
	Plain  Colour = iota
	Green         // as it should be
	Yellow        // not quite
	Red           // not at all
)

// When tables are coloured, the values of --color.
const (
	colourAuto   = "auto"
	colourAlways = "always"
	colourNever  = "never"
)

// paint returns text in the colour, for terminals that follow ECMA-48, as all do.
func (c Colour) paint(text string) string {
	code := ""
	switch c {
	case Plain:
		return text
	case Green:
		code = "32"
	case Yellow:
		code = "33"
	case Red:
		code = "31"
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// paint colours the cells of a row that was laid out as line.
func (t Table) paint(line string, row []string) string {
	if t.Colour == nil {
		return line
	}
	var b strings.Builder
	for i, cell := range row {
		at := strings.Index(line, cell) // between cells there are only spaces
		if cell == "" || at < 0 {
			continue
		}
		b.WriteString(line[:at] + t.Colour(i, cell).paint(cell))
		line = line[at+len(cell):]
	}
	return b.String() + line
}

// colours reports whether tables on w are coloured: as --color says, or else where
// w is a terminal that shows colours to somebody who wants them
// (https://no-color.org).
func (p *Program) colours(w io.Writer) bool {
	switch p.colour {
	case colourAlways:
		return true
	case colourNever:
		return false
	}
	return p.Process.Getenv("NO_COLOR") == "" && p.Process.Getenv("TERM") != "dumb" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
