package command

import (
	"net"
	"strconv"
	"strings"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// nodeTable shows nodes to people; stale says that the answer is an old one.
func nodeTable(nodes []netget.ServiceNode, stale bool) cli.Table {
	t := cli.Table{Header: []string{"NODE", "STATUS", "SINCE", "LIVE", "ENDPOINTS", "VERSION", "REASON"}, Colour: statusColour}
	for _, n := range nodes {
		t.Rows = append(t.Rows, []string{
			n.Node, standing(n, stale), clock(n.Since), yesNo(n.Live), places(n.Endpoints), orDash(n.Metadata["version"]), orDash(why(n)),
		})
	}
	return t
}

// standing is the status of a node with all that takes away from it.
func standing(n netget.ServiceNode, stale bool) string {
	words := []string{n.Status.String()}
	if n.Disputed {
		words = append(words, "disputed")
	}
	if n.State == identity.Draining {
		words = append(words, "draining")
	}
	if stale {
		words = append(words, "stale")
	}
	return strings.Join(words, ", ")
}

// why is the registry's word for a status that is not up, or else the first word
// of why the node is not active: the rest of that has columns of its own.
func why(n netget.ServiceNode) string {
	if n.Cause != "" {
		return n.Cause
	}
	word, _, _ := strings.Cut(n.Reason, " ")
	return word
}

// statusColour colours the status of a node.
func statusColour(column int, cell string) cli.Colour {
	const statusColumn = 1
	if column != statusColumn {
		return cli.Plain
	}
	switch word, more, _ := strings.Cut(cell, ","); {
	case word == "down":
		return cli.Red
	case word == "up" && more == "":
		return cli.Green
	}
	return cli.Yellow
}

// places lists endpoints as HOST:PORT; only what is not the rule is named.
func places(endpoints []netget.Endpoint) string {
	var list []string
	for _, e := range endpoints {
		text := net.JoinHostPort(e.Address, strconv.Itoa(e.Port))
		if e.Name != "default" {
			text = e.Name + "=" + text
		}
		if e.Protocol != "tcp" {
			text += "/" + e.Protocol
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
