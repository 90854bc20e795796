package command

import (
	"strings"
	"time"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/pki"
)

// What the commands print (docs/cli.md, "Output").

type initialised struct {
	Domain   string           `json:"domain"`
	CA       string           `json:"ca"`
	Networks []initialNetwork `json:"networks"`
}

type initialNetwork struct {
	Network    string `json:"network"`
	NID        string `json:"nid"`
	RootSHA256 string `json:"root_sha256"`
}

func (i initialised) Names() []string {
	var names []string
	for _, n := range i.Networks {
		names = append(names, n.Network)
	}
	return names
}

func (i initialised) Table() cli.Table {
	t := cli.Table{Header: []string{"NETWORK", "NID", "ROOT SHA256"}}
	for _, n := range i.Networks {
		t.Rows = append(t.Rows, []string{n.Network, n.NID, n.RootSHA256})
	}
	return t
}

type networks struct {
	Networks []pki.Network `json:"networks"`
}

func (l networks) Names() []string {
	var names []string
	for _, n := range l.Networks {
		names = append(names, n.Network)
	}
	return names
}

func (l networks) Table() cli.Table {
	t := cli.Table{Header: []string{"NETWORK", "TRUST DOMAIN", "NID", "ROOT NOT AFTER", "ROOT SHA256"}}
	for _, n := range l.Networks {
		t.Rows = append(t.Rows, []string{n.Network, n.TrustDomain, n.NID, text(n.RootNotAfter), n.RootSHA256})
	}
	return t
}

type network struct{ pki.Network }

func (n network) Names() []string  { return []string{n.Network.Network} }
func (n network) Table() cli.Table { return networks{[]pki.Network{n.Network}}.Table() }

type token struct{ pki.Token }

func (t token) Names() []string  { return []string{t.Token.Token} }
func (t token) Table() cli.Table { return cli.Table{Rows: [][]string{{t.Token.Token}}} }

type registries struct {
	Registries []pki.Registry `json:"registries"`
}

func (l registries) Names() []string {
	var names []string
	for _, r := range l.Registries {
		names = append(names, r.Registry)
	}
	return names
}

func (l registries) Table() cli.Table {
	t := cli.Table{Header: []string{"REGISTRY", "NETWORK", "ADDRESSES"}}
	for _, r := range l.Registries {
		t.Rows = append(t.Rows, []string{r.Registry, r.Network, strings.Join(r.Addresses, " ")})
	}
	return t
}

type certificates struct {
	Certificates []pki.Certificate `json:"certificates"`
}

func (l certificates) Names() []string {
	var names []string
	for _, c := range l.Certificates {
		names = append(names, c.Serial)
	}
	return names
}

func (l certificates) Table() cli.Table {
	t := cli.Table{Header: []string{"SERIAL", "NETWORK", "SUBJECT", "USE", "NOT AFTER", "REVOKED"}}
	for _, c := range l.Certificates {
		t.Rows = append(t.Rows, []string{c.Serial, c.Network, subject(c), c.Use, text(c.NotAfter), revoked(c)})
	}
	return t
}

func subject(c pki.Certificate) string {
	if c.ID == "" {
		return "the authority's server"
	}
	return c.Service + "/" + c.Node
}

func revoked(c pki.Certificate) string {
	if c.RevokedAt == nil {
		return "no"
	}
	return text(*c.RevokedAt)
}

func text(t time.Time) string { return t.UTC().Format(time.RFC3339) }
