package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
)

// A Config says what a [Catalog] works with. Source, Store, Now and Logger are
// required.
type Config struct {
	// Source is the registry's own identity: bundle, TLS and signing credentials,
	// renewed under the running program.
	Source *identity.Source
	Store  Store
	Now    func() time.Time
	Logger *slog.Logger // events
	// Audit gets an entry for everything that changes a node's state, or is
	// refused; nil for Logger.
	Audit *slog.Logger

	// Health says how nodes are judged; its Propose and Logger are the catalog's.
	// nil: nobody is, and every node is up.
	Health *healthwatch.Config

	// HeadFile is where the newest (version, log) that was signed is kept, outside
	// of the store; "" for nowhere.
	HeadFile string
	// Floors asks others for the newest marks they know of this registry's own
	// identity: the authority, peers. It is asked once, before the first
	// signature. An error is logged and tolerated. nil asks nobody.
	Floors func(context.Context) ([]identity.RegistryMark, error)
}

// A Catalog is the state of one network. [Catalog.Open] loads it, then
// [Catalog.Run] commits what [Catalog.Submit] admits. It is safe for concurrent
// use.
type Catalog struct {
	source   *identity.Source
	store    Store
	now      func() time.Time
	log      *slog.Logger
	diary    diary
	headFile string
	floors   func(context.Context) ([]identity.RegistryMark, error)

	current atomic.Pointer[Snapshot]
	queue   queue
	marks   chan markCheck // marks of our own log that somebody else has shown
	places  places
	beats   beats
	health  *healthwatch.Watch // nil: nobody is judged
	wishes  wishes
	news    news
	stats   counters

	// What follows belongs to Open and then to the committer alone.
	state    *state
	expiries expiries
	unkept   map[identity.NodeID]unkept             // what no version carries yet
	carried  []*entry                               // entries that wait for the next version
	inHand   []*entry                               // entries of the version under way, answered or not
	wanted   map[identity.NodeID]healthwatch.Change // statuses that no version carries yet
	braked   bool                                   // downs are being held back
	pressing map[identity.NodeID]healthwatch.Change // statuses before which no version gets a head
	shown    *state                                 // the newest that got one
	unheard  []move                                 // of durable versions that no head was signed for yet
	doubt    *pending                               // a version of unknown outcome
	retryAt  time.Time                              // when to ask about doubt again
	storeOK  time.Time                              // when the store last answered
	outageAt time.Time                              // when a silent store was last logged; zero: it answers
	signAt   time.Time                              // when the head is to be signed again
	judged   *identity.Bundle                       // under which the listed certificates were judged
	pace     *rate.Limiter
	forgetAt time.Time

	// These belong to whoever flushes, one after the other.
	headWritten int64 // the version in headFile
	headFailed  bool  // headFile could not be written
	beatsFailed bool  // heartbeats could not be stored

	failed failure
}

// failure is why the catalog no longer serves.
type failure struct {
	mu  sync.Mutex
	err error // guarded by mu
}

// New checks the configuration and returns a catalog that holds nothing yet. It
// does no I/O.
func New(cfg Config) (*Catalog, error) {
	if cfg.Source == nil || cfg.Store == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("a catalog needs Source, Store, Now and Logger")
	}
	id := cfg.Source.Identity()
	if id.ID().Type() != identity.RegistryNode || id.Signing == nil {
		return nil, fmt.Errorf("%s is no registry with a signing certificate", id.ID())
	}
	if cfg.Audit == nil {
		cfg.Audit = cfg.Logger
	}
	c := &Catalog{
		source: cfg.Source, store: cfg.Store, now: cfg.Now, log: cfg.Logger, headFile: cfg.HeadFile, floors: cfg.Floors,
		unkept: map[identity.NodeID]unkept{}, wanted: map[identity.NodeID]healthwatch.Change{},
		pressing: map[identity.NodeID]healthwatch.Change{},
		pace:     rate.NewLimiter(versionRate, versionBurst),
	}
	c.diary.log, c.diary.actors, c.diary.raised = cfg.Audit, audit.NewBudgets(), map[identity.NodeID]identity.Hash{}
	c.queue.wake = make(chan struct{}, 1)
	c.marks = make(chan markCheck)
	c.places.byNode = map[identity.NodeID]*place{}
	c.beats.cells = map[identity.Hash]*cell{}
	c.beats.dirty = map[identity.NodeID]dirtyBeat{}
	c.news.waiting = map[*waiter]struct{}{}
	c.wishes.changes = map[identity.NodeID]healthwatch.Change{}
	if cfg.Health != nil {
		health := *cfg.Health
		health.Propose, health.Logger = c.propose, cfg.Logger
		var err error
		if c.health, err = healthwatch.New(health); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Snapshot returns the newest version with its signed head. It is never nil
// after Open.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// Err returns why the network is no longer served, nil while it is.
func (c *Catalog) Err() error {
	c.failed.mu.Lock()
	defer c.failed.mu.Unlock()
	return c.failed.err
}

func (c *Catalog) fail(err error) {
	c.failed.mu.Lock()
	defer c.failed.mu.Unlock()
	c.failed.err = err
}

// bundle returns what the network is trusted by now.
func (c *Catalog) bundle() *identity.Bundle { return c.source.Identity().Bundle }

// id returns the registry's identity.
func (c *Catalog) id() identity.NodeID { return c.source.Identity().ID() }
