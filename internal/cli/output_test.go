package cli_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/cli"
)

type inner struct {
	Tags []string          `json:"tags"`
	Meta map[string]string `json:"meta"`
}

// An output has every kind of member that the commands print.
type output struct {
	Name   string         `json:"name"`
	At     time.Time      `json:"at"`
	Gone   *time.Time     `json:"gone"`
	Inner  *inner         `json:"inner"`
	None   *inner         `json:"none"`
	List   []inner        `json:"list"`
	Empty  []inner        `json:"empty"`
	Raw    []byte         `json:"raw"`
	Any    any            `json:"any"`
	Grid   [2][]string    `json:"grid"`
	Nested map[string]any `json:"nested"`
	Port   int            `json:"port"`
	hidden []string
}

func (o output) Names() []string { return append([]string{o.Name}, o.hidden...) }

type table struct{ output }

func (table) Table() cli.Table {
	return cli.Table{Header: []string{"NAME", "STATUS"}, Rows: [][]string{{"billing-long", "up"}, {"db\x1b", "down"}}}
}

type token struct{ output }

func (token) Table() cli.Table { return cli.Table{Rows: [][]string{{"eyJ"}}} }

func sample() output {
	at := time.Date(2026, 11, 22, 12, 30, 1, 999, time.FixedZone("CET", 3600))
	return output{
		Name: "true", At: at, Gone: &at, Inner: &inner{}, List: []inner{{}}, Any: []string(nil),
		Nested: map[string]any{"list": []string(nil), "nil": nil, "zone": "<eu>"}, Port: 8438, hidden: []string{"h"},
	}
}

const sampleJSON = `{
  "name": "true",
  "at": "2026-11-22T11:30:01Z",
  "gone": "2026-11-22T11:30:01Z",
  "inner": {
    "tags": [],
    "meta": {}
  },
  "none": null,
  "list": [
    {
      "tags": [],
      "meta": {}
    }
  ],
  "empty": [],
  "raw": "",
  "any": [],
  "grid": [
    [],
    []
  ],
  "nested": {
    "list": [],
    "nil": null,
    "zone": "<eu>"
  },
  "port": 8438
}
`

const sampleYAML = `name: "true"
at: "2026-11-22T11:30:01Z"
gone: "2026-11-22T11:30:01Z"
inner:
  tags: []
  meta: {}
none: null
list:
  - tags: []
    meta: {}
empty: []
raw: ""
any: []
grid:
  - []
  - []
nested:
  list: []
  nil: null
  zone: <eu>
port: 8438
`

func TestPrint(t *testing.T) {
	for name, row := range map[string]struct {
		format string
		result cli.Result
		want   string
	}{
		"JSON has no null lists and UTC seconds": {cli.FormatJSON, sample(), sampleJSON},
		"JSON of a pointer":                      {cli.FormatJSON, new(sample()), sampleJSON},
		"JSON of an embedded struct":             {cli.FormatJSON, table{sample()}, sampleJSON},
		"YAML has the members of JSON":           {cli.FormatYAML, sample(), sampleYAML},
		"names are lines":                        {cli.FormatName, sample(), "true\nh\n"},
		"a table is aligned and safe":            {cli.FormatTable, table{}, "NAME          STATUS\nbilling-long  up\ndb\ufffd           down\n"},
		"a token is alone on its line":           {cli.FormatTable, token{}, "eyJ\n"},
		"no table of its own is YAML":            {cli.FormatTable, sample(), sampleYAML},
	} {
		var b bytes.Buffer
		if err := cli.NewPrinter(&b, row.format).Print(row.result); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := b.String(); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, row.want)
		}
	}
}

func TestPrintLeavesTheValueAlone(t *testing.T) {
	v := sample()
	if err := cli.NewPrinter(&bytes.Buffer{}, cli.FormatJSON).Print(&v); err != nil {
		t.Fatal(err)
	}
	if v.Empty != nil || v.Inner.Tags != nil || v.At.Nanosecond() != 999 {
		t.Errorf("printing changed the value: %+v", v)
	}
}

func TestAnnounce(t *testing.T) {
	full := cli.NewReady("netget-registry", "127.0.0.1:8438", "http://127.0.0.1:8437", []string{"development", "production"})
	bare := cli.NewReady("netget-ca", "[::1]:8439", "", nil)
	for name, row := range map[string]struct {
		format string
		ready  cli.Ready
		want   string
	}{
		"text": {
			cli.FormatTable, full,
			"ready: netget-registry on 127.0.0.1:8438 (operations http://127.0.0.1:8437), networks: development, production",
		},
		"text without operations and networks": {cli.FormatYAML, bare, "ready: netget-ca on [::1]:8439, no networks"},
		"JSON": {
			cli.FormatJSON, full,
			`{"ready":true,"address":"127.0.0.1:8438","ops":"http://127.0.0.1:8437","networks":["development","production"]}`,
		},
		"JSON without operations and networks": {cli.FormatJSON, bare, `{"ready":true,"address":"[::1]:8439","ops":"","networks":[]}`},
	} {
		var b bytes.Buffer
		if err := cli.NewPrinter(&b, row.format).Announce(t.Context(), row.ready); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := b.String(); got != row.want+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", name, got, row.want)
		}
	}
}

func TestLogger(t *testing.T) {
	for name, row := range map[string]struct {
		args  []string
		lines int
		first string
	}{
		"text from level info by default": {nil, 1, "time="},
		"JSON":                            {[]string{"--log-format", "json"}, 1, `{"time":`},
		"debug":                           {[]string{"--log-level", "debug"}, 2, "time="},
		"error":                           {[]string{"--log-level", "error"}, 0, ""},
	} {
		var b bytes.Buffer
		p := cli.New(cli.Process{Args: append([]string{"log"}, row.args...), Env: []string{"HOME=/nowhere"}, UID: 1, Stdout: &b, Stderr: &b}, cli.Config{Name: "x", Folder: "x"})
		p.Root.AddCommand(logCommand(p))
		if code := p.Run(t.Context()); code != 0 {
			t.Errorf("%s: code %d", name, code)
		}
		if got := b.String(); strings.Count(got, "\n") != row.lines || !strings.HasPrefix(got, row.first) {
			t.Errorf("%s: %q, want %d lines that begin with %q", name, got, row.lines, row.first)
		}
	}
}
