package identity

import (
	"strings"
)

// DefaultDomain is the domain of a deployment that names none.
const DefaultDomain = "netget.internal"

const (
	maxNetworkBytes = 32
	maxLabelBytes   = 63
	maxDomainBytes  = 92 // so that <node>.<service>.<network>.<domain> fits 253
)

// A TrustDomain names one network of one deployment, such as
// "production.netget.internal": the network label, a dot, the deployment's
// domain. It is comparable; the zero TrustDomain names nothing.
type TrustDomain struct{ network, domain string }

// NewTrustDomain returns the trust domain of a network of a deployment.
// Network: 1–32 characters [a-z0-9-], beginning with a letter and not ending
// with a dash. Domain: a lower-case DNS name of at most 92 characters.
// Anything else is [Malformed].
func NewTrustDomain(network, domain string) (TrustDomain, error) {
	if !isNetwork(network) {
		return TrustDomain{}, Refuse(Malformed, "%q is not a network name: 1 to 32 of a-z, 0-9 and dash, beginning with a letter", clip(network))
	}
	if len(domain) > maxDomainBytes || !isDNSName(domain) {
		return TrustDomain{}, Refuse(Malformed, "%q is not a domain: a lower-case DNS name of at most %d characters", clip(domain), maxDomainBytes)
	}
	return TrustDomain{network, domain}, nil
}

// ParseTrustDomain reads "<network>.<domain>".
func ParseTrustDomain(s string) (TrustDomain, error) {
	network, domain, _ := strings.Cut(s, ".")
	return NewTrustDomain(network, domain)
}

// Network returns the network's label, such as "production".
func (td TrustDomain) Network() string { return td.network }

// Domain returns the deployment's domain, such as "netget.internal".
func (td TrustDomain) Domain() string { return td.domain }

// IsZero reports whether td names nothing.
func (td TrustDomain) IsZero() bool { return td == TrustDomain{} }

// String returns "<network>.<domain>", or "" for the zero value.
func (td TrustDomain) String() string {
	if td.IsZero() {
		return ""
	}
	return td.network + "." + td.domain
}

// CAName returns the DNS name (and SNI) of the network's certificate authority.
func (td TrustDomain) CAName() string { return "ca." + td.String() }

// RegistryName returns the DNS name (and SNI) that all registries of the network share.
func (td TrustDomain) RegistryName() string { return "registry." + td.String() }

// A NodeType says what a node may do; it follows from the service in its identity.
type NodeType uint8

// The node types.
const (
	_            NodeType = iota
	ServiceNode           // offers a service and registers it
	RegistryNode          // answers discovery
	ClientNode            // only asks
	OperatorNode          // asks, and removes nodes
)

// String returns "service", "registry", "client" or "operator".
func (t NodeType) String() string {
	switch t {
	case ServiceNode:
		return "service"
	case RegistryNode:
		return "registry"
	case ClientNode:
		return "client"
	case OperatorNode:
		return "operator"
	}
	return "none"
}

// A NodeID names one node of one network, such as
// "spiffe://production.netget.internal/billing/billing-7". It is comparable;
// the zero NodeID names no node.
type NodeID struct {
	td             TrustDomain
	service, label string
	text           string // the canonical form, made of the three
}

const scheme = "spiffe://"

// NewNodeID returns the identity of a node of a service. Both names are 1–63
// characters [a-z0-9-], neither beginning nor ending with a dash; the services
// "ca", "node" and "service" are reserved. Anything else is [Malformed].
func NewNodeID(td TrustDomain, service, label string) (NodeID, error) {
	if td.IsZero() {
		return NodeID{}, Refuse(Malformed, "an identity needs a network")
	}
	if err := CheckService(service); err != nil {
		return NodeID{}, err
	}
	if !isLabel(label) {
		return NodeID{}, Refuse(Malformed, "%q is not a node name: 1 to 63 of a-z, 0-9 and dash, no dash at either end", clip(label))
	}
	return NodeID{td, service, label, scheme + td.String() + "/" + service + "/" + label}, nil
}

// ParseNodeID reads "spiffe://<network>.<domain>/<service>/<node>". It accepts
// the canonical form only: no upper case, port, user, query or empty segment.
func ParseNodeID(s string) (NodeID, error) {
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return NodeID{}, Refuse(Malformed, "%q is not an identity: it begins with %s", clip(s), scheme)
	}
	host, path, _ := strings.Cut(rest, "/")
	service, label, _ := strings.Cut(path, "/")
	td, err := ParseTrustDomain(host)
	if err != nil {
		return NodeID{}, err
	}
	return NewNodeID(td, service, label)
}

// CheckService reports whether s can stand as the service in an identity; a
// failure is [Malformed]. "registry", "client" and "operator" can: they make
// the node one of that type.
func CheckService(s string) error {
	if !isLabel(s) {
		return Refuse(Malformed, "%q is not a service name: 1 to 63 of a-z, 0-9 and dash, no dash at either end", clip(s))
	}
	switch s {
	case "ca", "node", "service":
		return Refuse(Malformed, "%q is a reserved name, not a service", s)
	}
	return nil
}

// FoldName lower-cases the ASCII letters of a name that a person or a program
// handed in: "DatabaseService" becomes "databaseservice". It is applied once,
// at the edge, and never to what comes from the network.
func FoldName(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// TrustDomain returns the network that the node belongs to.
func (id NodeID) TrustDomain() TrustDomain { return id.td }

// Service returns the service part, such as "billing".
func (id NodeID) Service() string { return id.service }

// Label returns the node part, such as "billing-7".
func (id NodeID) Label() string { return id.label }

// IsZero reports whether id names no node.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// Type returns what the node may do.
func (id NodeID) Type() NodeType {
	switch id.service {
	case "":
		return 0
	case "registry":
		return RegistryNode
	case "client":
		return ClientNode
	case "operator":
		return OperatorNode
	}
	return ServiceNode
}

// DNSNames returns the names a server certificate of the node may carry:
// "<node>.<service>.<td>" and "<service>.<td>"; none for clients and operators.
func (id NodeID) DNSNames() []string {
	if t := id.Type(); t != ServiceNode && t != RegistryNode {
		return nil
	}
	td := id.td.String()
	return []string{id.label + "." + id.service + "." + td, id.service + "." + td}
}

// String returns the identity in its canonical form, or "" for the zero value.
func (id NodeID) String() string { return id.text }

// MarshalText returns the canonical form.
func (id NodeID) MarshalText() ([]byte, error) { return []byte(id.text), nil }

// UnmarshalText reads the canonical form, as [ParseNodeID] does.
func (id *NodeID) UnmarshalText(b []byte) error {
	parsed, err := ParseNodeID(string(b))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

func isNetwork(s string) bool {
	return len(s) <= maxNetworkBytes && isLabel(s) && s[0] >= 'a'
}

// isLabel reports whether s is [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?.
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabelBytes || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// isDNSName reports whether s is a lower-case DNS name: labels joined by dots,
// at most 253 characters, the last label beginning with a letter so that no
// name reads as an IP address.
func isDNSName(s string) bool {
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if !isLabel(l) {
			return false
		}
	}
	return labels[len(labels)-1][0] >= 'a'
}

// clip bounds what an error repeats of somebody else's text.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
