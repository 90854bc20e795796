package audit

import "log/slog"

// An Event is what an entry is about.
type Event string

// The events of a registry and of an authority.
const (
	// Of nodes.
	Registered        Event = "registered"         // a record became the node's state
	Repeated          Event = "repeated"           // a statement that was the state already came again
	Tombstoned        Event = "tombstone"          // the node has gone
	OperatorTombstone Event = "operator-tombstone" // an operator has removed the node
	Expired           Event = "expired"            // a record is over by its own signature
	Revoked           Event = "revoked"            // a record went with its certificate
	StatusChanged     Event = "status"             // up, suspect or down
	Equivocation      Event = "equivocation"       // a node has signed two statements for one place
	IdentityShared    Event = "identity-shared"    // two processes seem to use one identity

	// Of refusals.
	StatementRefused Event = "statement-refused"
	HeartbeatRefused Event = "heartbeat-refused" // a token that is wrong, not one that is late
	RequestRefused   Event = "request-refused"
	HandshakeRefused Event = "handshake-refused"
	VersionAhead     Event = "version-ahead" // a caller has seen a later version than this registry holds

	// Of the server's own identity.
	Enrolled      Event = "enrolled"
	Renewed       Event = "renewed"        // its certificates
	BundleChanged Event = "bundle-changed" // roots, issuers or revocation lists
	CRLRollback   Event = "crl-rollback"   // a revocation list older than the one known
	HeadConflict  Event = "head-conflict"  // this identity has signed something else elsewhere
	Started       Event = "started"
	Stopped       Event = "stopped"
	NetworkEnded  Event = "network-ended" // a network is not served any more

	// Of an authority.
	CertificateIssued Event = "certificate-issued"
	TokenMade         Event = "token-made"
	TokenReuse        Event = "token-reuse"
	Administered      Event = "administered" // an administrator has changed something
)

// Events returns all events.
func Events() []Event {
	return []Event{
		Registered, Repeated, Tombstoned, OperatorTombstone, Expired, Revoked, StatusChanged, Equivocation, IdentityShared,
		StatementRefused, HeartbeatRefused, RequestRefused, HandshakeRefused, VersionAhead,
		Enrolled, Renewed, BundleChanged, CRLRollback, HeadConflict, Started, Stopped, NetworkEnded,
		CertificateIssued, TokenMade, TokenReuse, Administered,
	}
}

// level is how loud an entry is in the ordinary log. The diary keeps them all.
func (e Event) level() slog.Level {
	switch e {
	case HeadConflict, NetworkEnded:
		return slog.LevelError
	case Equivocation, IdentityShared, StatementRefused, HeartbeatRefused, VersionAhead, CRLRollback, TokenReuse:
		return slog.LevelWarn
	case HandshakeRefused: // strangers come at any time
		return slog.LevelDebug
	case Registered, Repeated, Tombstoned, OperatorTombstone, Expired, Revoked, StatusChanged, RequestRefused,
		Enrolled, Renewed, BundleChanged, Started, Stopped, CertificateIssued, TokenMade, Administered:
		return slog.LevelInfo
	}
	return slog.LevelInfo
}
