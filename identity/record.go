package identity

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of records (docs/protocol.md section 4).
const (
	MaxRecordLife       = 24 * time.Hour
	MaxEndpoints        = 8
	MaxHeartbeats       = 8640
	MaxSequence         = 1<<53 - 2
	OperatorSequence    = 1<<53 - 1 // above what any node may use
	maxMetadataPairs    = 32
	maxMetadataValue    = 1024
	maxMetadataBytes    = 4096
	maxMetadataKey      = 63
	maxCheckPath        = 256
	maxIntervalSeconds  = 3600
	minCheckSeconds     = 2
	recordVersion       = 1
	audPrefix           = "netget:"
	skewSeconds         = int64(ClockSkew / time.Second)
	tombstoneLife       = 86520
	minLivenessSeconds  = 60
	rememberedAfterIAT  = 86580
	maxRecordLifeSecond = int64(MaxRecordLife / time.Second)
)

// A Record is what a service node says about itself. Times are Unix seconds.
// The fields stand in the order of the canonical form.
type Record struct {
	Aud       string            `json:"aud"` // "netget:" and the network's nid
	Check     Check             `json:"check"`
	Endpoints []Endpoint        `json:"endpoints"` // 1 to 8
	Epoch     int64             `json:"epoch"`     // rises with every start of the node
	Exp       int64             `json:"exp"`       // exclusive; at most a day after IAT
	Heartbeat Heartbeat         `json:"heartbeat"`
	IAT       int64             `json:"iat"`
	Metadata  map[string]string `json:"metadata"`
	Network   string            `json:"network"`
	Node      NodeID            `json:"node"`
	Sequence  int64             `json:"sequence"` // rises within an epoch
	Service   string            `json:"service"`
	State     State             `json:"state"`
	V         int64             `json:"v"`
}

// A Check says how a registry may probe the first endpoint.
type Check struct {
	Interval int64     `json:"interval"` // seconds, 2 to 3600
	Path     string    `json:"path"`     // "" or an absolute path
	Type     CheckType `json:"type"`
}

// A CheckType is a kind of probe.
type CheckType string

// The kinds of probes. All but the first need a tcp endpoint.
const (
	CheckNone  CheckType = "none"
	CheckTCP   CheckType = "tcp"
	CheckMTLS  CheckType = "mtls"
	CheckHTTP  CheckType = "http"
	CheckHTTPS CheckType = "https"
	CheckGRPC  CheckType = "grpc"
)

// An Endpoint is where a service can be reached.
type Endpoint struct {
	Address  string `json:"address"` // canonical IP or lower-case DNS name
	Name     string `json:"name"`    // a label, unique in the record
	Port     int64  `json:"port"`
	Protocol string `json:"protocol"` // "tcp" or "udp"
}

// A Heartbeat commits a record to its chain of tokens: see [Chain].
type Heartbeat struct {
	Anchor   Hash  `json:"anchor"`
	Count    int64 `json:"count"`    // how many tokens there are, 1 to 8640
	Interval int64 `json:"interval"` // seconds between them, 1 to 3600
}

// A State is the node's own wish: to be chosen, or to be left alone.
type State string

// The states.
const (
	Active   State = "active"
	Draining State = "draining"
)

// Audience returns the aud of everything signed in the network nid.
func Audience(nid Hash) string { return audPrefix + nid.String() }

// CheckForm checks all that can be said of a record without its certificate,
// network or a clock: [Malformed], [Limits] and, for times that contradict
// each other, [BadTime].
func (r *Record) CheckForm() error {
	if r.V != recordVersion {
		return Refuse(Malformed, "a record of version %d", r.V)
	}
	if err := r.checkPlaces(); err != nil {
		return err
	}
	if r.Epoch < 1 || r.Sequence < 1 || r.Sequence > MaxSequence {
		return Refuse(Limits, "epoch %d or sequence %d is out of range", r.Epoch, r.Sequence)
	}
	if err := r.checkHeartbeat(); err != nil {
		return err
	}
	if err := checkMetadata(r.Metadata); err != nil {
		return err
	}
	if !isNetwork(r.Network) {
		return Refuse(Malformed, "%q is not a network name", clip(r.Network))
	}
	if err := CheckService(r.Service); err != nil {
		return err
	}
	if r.State != Active && r.State != Draining {
		return Refuse(Malformed, "%q is not a state", clip(string(r.State)))
	}
	return r.checkTimes()
}

func (r *Record) checkPlaces() error {
	if len(r.Endpoints) == 0 || len(r.Endpoints) > MaxEndpoints {
		return Refuse(Limits, "a record has 1 to %d endpoints, not %d", MaxEndpoints, len(r.Endpoints))
	}
	if err := r.Check.checkForm(r.Endpoints[0].Protocol); err != nil {
		return err
	}
	names := map[string]struct{}{}
	for _, e := range r.Endpoints {
		if err := e.checkForm(); err != nil {
			return err
		}
		if _, dup := names[e.Name]; dup {
			return Refuse(Limits, "two endpoints are called %q", e.Name)
		}
		names[e.Name] = struct{}{}
	}
	return nil
}

func (c Check) checkForm(protocol string) error {
	switch c.Type {
	case CheckNone:
	case CheckTCP, CheckMTLS, CheckHTTP, CheckHTTPS, CheckGRPC:
		if protocol != "tcp" {
			return Refuse(Malformed, "a %s check needs a tcp endpoint", c.Type)
		}
	default:
		return Refuse(Malformed, "%q is not a kind of check", clip(string(c.Type)))
	}
	if c.Interval < minCheckSeconds || c.Interval > maxIntervalSeconds {
		return Refuse(Limits, "a check interval of %d s; %d to %d are possible", c.Interval, minCheckSeconds, maxIntervalSeconds)
	}
	if len(c.Path) > maxCheckPath {
		return Refuse(Limits, "a check path of %d bytes, more than %d", len(c.Path), maxCheckPath)
	}
	if c.Path == "" {
		return nil
	}
	if c.Path[0] != '/' || strings.ContainsFunc(c.Path, func(r rune) bool { return !strings.ContainsRune(pathCharacters, r) }) {
		return Refuse(Malformed, "%q is not a check path", clip(c.Path))
	}
	return nil
}

const pathCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~-"

func (e Endpoint) checkForm() error {
	if !IsAddress(e.Address) {
		return Refuse(Malformed, "%q is not an address: a canonical IP address or a lower-case DNS name", clip(e.Address))
	}
	if !isLabel(e.Name) {
		return Refuse(Malformed, "%q is not an endpoint name", clip(e.Name))
	}
	if e.Port < 1 || e.Port > 65535 {
		return Refuse(Limits, "port %d; 1 to 65535 are possible", e.Port)
	}
	if e.Protocol != "tcp" && e.Protocol != "udp" {
		return Refuse(Malformed, "%q is neither tcp nor udp", clip(e.Protocol))
	}
	return nil
}

// IsAddress reports whether s can stand as the address of an endpoint: an IP
// address in its canonical text (dotted, RFC 5952; no zone, no mapped form) or
// a lower-case DNS name.
func IsAddress(s string) bool {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Zone() == "" && !ip.Is4In6() && ip.String() == s
	}
	return isDNSName(s)
}

func (r *Record) checkHeartbeat() error {
	h := r.Heartbeat
	if h.Interval < 1 || h.Interval > maxIntervalSeconds || h.Count < 1 || h.Count > MaxHeartbeats {
		return Refuse(Limits, "%d heartbeats of %d s; 1 to %d of 1 to %d s are possible", h.Count, h.Interval, MaxHeartbeats, maxIntervalSeconds)
	}
	if h.Count*h.Interval < r.Exp-r.IAT {
		return Refuse(Limits, "%d heartbeats of %d s do not last for the record's life", h.Count, h.Interval)
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	if len(m) > maxMetadataPairs {
		return Refuse(Limits, "%d pairs of metadata, more than %d", len(m), maxMetadataPairs)
	}
	for key := range m { // all keys first: the verdict must not hang on the map's order
		if !isMetadataKey(key) {
			return Refuse(Malformed, "%q is not a metadata key", clip(key))
		}
	}
	total := 0
	for key, value := range m {
		if !utf8.ValidString(value) {
			return Refuse(Malformed, "the metadata value of %q is not UTF-8", key)
		}
		if len(value) > maxMetadataValue {
			return Refuse(Limits, "the metadata value of %q has %d bytes, more than %d", key, len(value), maxMetadataValue)
		}
		total += len(key) + len(value)
	}
	if total > maxMetadataBytes {
		return Refuse(Limits, "%d bytes of metadata, more than %d", total, maxMetadataBytes)
	}
	return nil
}

// isMetadataKey reports whether s is [a-z0-9][a-z0-9._-]{0,62}.
func isMetadataKey(s string) bool {
	if s == "" || len(s) > maxMetadataKey {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

func (r *Record) checkTimes() error {
	if r.Exp <= r.IAT || r.Exp > r.IAT+maxRecordLifeSecond {
		return Refuse(BadTime, "a record lives for 1 s to %s, not %d s", MaxRecordLife, r.Exp-r.IAT)
	}
	if r.Epoch > r.IAT+skewSeconds {
		return Refuse(BadTime, "the epoch %d is later than the record's iat %d", r.Epoch, r.IAT)
	}
	return nil
}
