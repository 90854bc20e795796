package catalog

import (
	"context"
	"errors"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
)

var (
	// ErrForeignLog says that the store holds the log of another registry
	// identity, or of another network. A registry identity is one log for ever.
	ErrForeignLog = errors.New("the store holds the log of another registry identity")
	// ErrConflict says that the version to commit exists already.
	ErrConflict = errors.New("the version exists already")
	// ErrNoVersion says that the store does not hold a version: it was never
	// committed, or its leaf and change list were pruned.
	ErrNoVersion = errors.New("no such version")
)

// A Store keeps the state of one network. Methods may be called concurrently,
// but of Commit and Keep only one at a time. Whatever a store hands over is
// verified again, so it need not be trusted; it must not lose what it
// acknowledged.
type Store interface {
	// Claim binds the store's log to one registry identity and network for ever.
	// The first call writes them, later ones compare: [ErrForeignLog].
	Claim(ctx context.Context, registry identity.NodeID, nid identity.Hash) error

	// Load hands over what is stored, as of one moment. It first calls each for
	// every version of which leaf and change list are kept, in ascending order;
	// the newest version is always among them. An error of each ends Load and is
	// returned as it is. An empty store calls nothing and returns the zero Loaded.
	Load(ctx context.Context, each func(Version) error) (Loaded, error)

	// Commit makes batch durable as version batch.Version, all of it or nothing.
	// It returns ErrConflict, and changes nothing, if that version exists already.
	// After any other error the outcome counts as unknown: the caller asks Version
	// before it goes on.
	Commit(ctx context.Context, batch Batch) error

	// Keep stores objects and node rows that make no version (evidence, a later
	// iat), in the manner of Commit. Repeating it is harmless.
	Keep(ctx context.Context, objects []Object, nodes []NodeRow) error

	// Version returns what is kept of one version, [ErrNoVersion] if nothing is.
	// It reads what was last committed, never a replica that may lag behind.
	Version(ctx context.Context, version int64) (Version, error)

	// Objects returns those of the named statements that it holds, in any order;
	// the names differ from each other.
	Objects(ctx context.Context, rids []identity.Hash) ([]Object, error)

	// SaveBeats stores the greatest heartbeat of each node given, in place of what
	// was stored of that node. It may do part of it before an error.
	SaveBeats(ctx context.Context, beats []BeatRow) error

	// Events returns what Commit has stored of batch.Events, by rising ID: at most
	// q.Limit of those after q.After, or the newest.
	Events(ctx context.Context, q EventQuery) ([]EventRow, error)

	// Prune forgets what is older than the horizon. It may do part of it before
	// an error, and works in steps that do not hold up a Commit for long.
	Prune(ctx context.Context, h Horizon) error

	// Ping reports whether the store could commit now.
	Ping(ctx context.Context) error
}

// A Version is what the store keeps of one version for 30 days: its leaf in the
// log and its change list, both canonical JSON, byte for byte.
type Version struct {
	Version int64
	Made    int64 // Unix seconds
	Leaf    []byte
	Changes []byte
}

// A Batch is everything that makes one version.
type Batch struct {
	Version
	LogRows []translog.Row // kept for ever
	Objects []Object       // any of them may be stored already: the stored one stays
	Nodes   []NodeRow      // each replaces the row of that node
	Events  []EventRow     // one whose ID is there already is left out: nobody loses a version over it
}

// An Object is a signed statement as stored, under its name, with the
// certificates that prove it.
type Object struct {
	RID        identity.Hash
	Node       identity.NodeID // whom the statement is about
	Token      string
	Leaf       []byte // DER of the signer's certificate
	Issuer     []byte // DER of its issuer
	AcceptedAt int64  // Unix seconds
}

// A NodeRow is what is kept of a node: which statement is its state, whether
// that is listed, and how it came so.
type NodeRow struct {
	Node        identity.NodeID
	State       identity.Hash    // rid of the greatest statement
	Hidden      identity.Hash    // what an operator's tombstone hides; zero: nothing
	Evidence    identity.Hash    // the other statement of an equivocation; zero: none. Of two operators' tombstones: what Hidden hides
	GreatestIAT int64            // of all statements seen of the node, Unix seconds
	Applied     int64            // the version that made State the state
	Listed      bool             // State is a record, and is in the map
	Status      discovery.Status // 0 unless listed
	Since       int64            // made of the version that set Status; 0 unless listed
}

// A BeatRow is the greatest heartbeat token of a node's record.
type BeatRow struct {
	Node identity.NodeID
	RID  identity.Hash // of the record that the token belongs to
	Beat identity.Beat
}

// An EventRow says how the status of a node has changed, and why; or, without a
// node, what happened to the network.
type EventRow struct {
	ID       int64            // at least 1, rises with every event of the network
	Node     identity.NodeID  // zero: the network
	Time     int64            // made of its version, Unix seconds
	From, To discovery.Status // 0: not listed
	Reason   string           // a word, at most 64 bytes
	Evidence string           // for people, at most 512 bytes
	Disputed bool             // heartbeats and probes contradicted each other
}

// An EventQuery says which events are wanted.
type EventQuery struct {
	Service string          // "": all
	Node    identity.NodeID // zero: all of the service, else one of it
	Newest  bool            // the newest of those after After, else the oldest
	After   int64           // an ID; 0: from the first on
	Limit   int             // at least 1
}

// A Loaded is all of the store's state but the versions, and the events.
type Loaded struct {
	Version int64          // the newest; 0: the store is empty
	LogRows []translog.Row // all, by position
	Objects []Object       // those that Nodes refer to, each once, in any order
	Nodes   []NodeRow      // all, in any order
	Beats   []BeatRow      // all, in any order; some may belong to records that are gone
}

// A Horizon says what may be forgotten.
type Horizon struct {
	// Made: versions made before this moment lose leaf and change list, but never
	// the newest version. Objects accepted before it go, if no node row refers to
	// them as State, Hidden or Evidence.
	Made int64
	// IAT: node rows go, with their beats and events, if they are not listed and
	// their GreatestIAT is this moment or earlier.
	IAT int64
	// Events: of each node, and of the network, so many of the newest events stay.
	Events int
}
