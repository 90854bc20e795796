package auditlog

import (
	"strconv"
	"strings"
	"time"

	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
)

// entries are what the command prints.
type entries struct {
	Entries []audit.Entry `json:"entries"`
}

// Names returns the events.
func (l entries) Names() []string {
	var list []string
	for _, e := range l.Entries {
		list = append(list, string(e.Event))
	}
	return list
}

// Table returns what people see.
func (l entries) Table() cli.Table {
	t := cli.Table{Header: []string{"TIME", "EVENT", "NETWORK", "ACTOR", "NODE", "CODE", "DETAILS"}, Rows: [][]string{}}
	for _, e := range l.Entries {
		t.Rows = append(t.Rows, row(e))
	}
	return t
}

// entry is one that is printed by itself.
type entry struct{ audit.Entry }

// Names returns the event.
func (e entry) Names() []string { return []string{string(e.Event)} }

// Table returns what people see.
func (e entry) Table() cli.Table { return cli.Table{Rows: [][]string{row(e.Entry)}} }

func row(e audit.Entry) []string {
	actor, node := short(e.Actor, e.Network), short(e.Node, e.Network)
	if actor == "" {
		actor = e.Remote
	}
	if node == actor {
		node = ""
	}
	return []string{e.Time.UTC().Format(time.RFC3339), string(e.Event), e.Network, actor, node, string(e.Code), details(e)}
}

// short leaves out of an identity what the column of the network says.
func short(id, network string) string {
	rest, ok := strings.CutPrefix(id, "spiffe://"+network+".")
	if _, path, found := strings.Cut(rest, "/"); ok && found && network != "" {
		return path
	}
	return id
}

// details are the members that have no column.
func details(e audit.Entry) string {
	var list []string
	if e.Version != 0 {
		list = append(list, "version "+strconv.FormatInt(e.Version, 10))
	}
	if e.RID != "" {
		list = append(list, "rid "+e.RID)
	}
	if e.Serial != "" {
		list = append(list, "serial "+e.Serial)
	}
	if e.Actor != "" && e.Remote != "" {
		list = append(list, "from "+e.Remote)
	}
	if e.LeftOut != 0 {
		list = append(list, strconv.FormatInt(e.LeftOut, 10)+" left out before")
	}
	if e.Reason != "" {
		list = append(list, e.Reason)
	}
	return strings.Join(list, ", ")
}
