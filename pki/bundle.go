package pki

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/neurons-me/netget/identity"
)

// bundleLife is for how long the reply of GET /v1/bundle is handed out again
// while nothing has changed: marks leave it by age.
const bundleLife = time.Second

// A bundleReply is a network's bundle with its registries, also where there
// are none yet.
type bundleReply struct {
	identity.BundleDocument
	Registries []identity.RegistryEntry `json:"registries"`
}

// An encodedBundle is a bundleReply as it goes out. Anybody may ask for it, as
// often as the limits let it, so that it is not made for each.
type encodedBundle struct {
	text []byte
	read int64 // store.changed before the inventory was read
	at   time.Time
}

func (ca *CA) getBundle(w http.ResponseWriter, r *http.Request) {
	text, err := ca.bundleOf(r.Context(), callOf(r).network)
	if err != nil {
		ca.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the peer may be gone; there is nobody else to tell
}

// bundleOf returns the reply for a network. However many ask at once, one of
// them reads the inventory.
func (ca *CA) bundleOf(ctx context.Context, n *network) ([]byte, error) {
	if text := ca.fresh(n); text != nil {
		return text, nil
	}
	select {
	case n.encoding <- struct{}{}:
		defer func() { <-n.encoding }()
	case <-ctx.Done():
		return nil, identity.Refuse(identity.Unavailable, "waiting for the bundle: %w", ctx.Err())
	}
	if text := ca.fresh(n); text != nil {
		return text, nil
	}
	made := encodedBundle{read: ca.store.changed.Load(), at: ca.cfg.Now()}
	entries, err := ca.entries(ctx, n)
	if err != nil {
		return nil, err
	}
	if made.text, err = json.Marshal(bundleReply{n.bundle.Document(), entries}); err != nil {
		return nil, fmt.Errorf("encoding the bundle: %w", err)
	}
	n.encoded.Store(&made)
	return made.text, nil
}

// fresh returns the reply that was made last, nil when it is not good any more.
func (ca *CA) fresh(n *network) []byte {
	made := n.encoded.Load()
	if made == nil || made.read != ca.store.changed.Load() {
		return nil
	}
	if age := ca.cfg.Now().Sub(made.at); age < 0 || age >= bundleLife {
		return nil
	}
	return made.text
}
