package catalog_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// FuzzHeadFile reads what the file beside the store says of the newest head: a
// mark of this very registry, or an error that names the file.
func FuzzHeadFile(f *testing.F) {
	ca := testca.New("production", "a", time.Unix(1_795_348_800, 0))
	id := ca.ID("registry", "r1")
	path := filepath.Join(f.TempDir(), "head.json")
	c, err := catalog.New(catalog.Config{
		Source: ca.Source(id), Store: memstore.New(), HeadFile: path, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(1_795_348_800, 0) },
	})
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(struct {
		Registry identity.NodeID `json:"registry"`
		NID      identity.Hash   `json:"nid"`
		identity.RegistryMark
	}{id, ca.Bundle().NID(), identity.RegistryMark{Version: 3, Root: identity.Hash{1}, Log: identity.Hash{2}, Made: 5}})
	if err != nil {
		f.Fatal(err)
	}
	for way := range byte(7) {
		for place := range uint16(7) {
			f.Add(good, place, way, []byte{0, byte(place + 1), 1})
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, place uint16, way byte, with []byte) {
		text = spoil.JSON(text, place, way, with)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var mark *identity.RegistryMark
		var err error
		spoil.Bounded(t, len(text), 64, func() { mark, err = c.ReadHeadFile() })
		if err != nil {
			if damaged, ok := errors.AsType[*catalog.HeadFileError](err); !ok || damaged.Error() == "" {
				t.Errorf("%s: %v", text, err)
			}
			return
		}
		var doc struct {
			Registry, NID string
			Version       int64
			Log           identity.Hash
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatalf("%s was read: %v", text, err)
		}
		if own := doc.Registry == id.String() && doc.NID == ca.Bundle().NID().String(); own != (mark != nil) || own && (mark.Version != doc.Version || mark.Version < 0 || mark.Log != doc.Log) {
			t.Errorf("%s reads as %+v", text, mark)
		}
	})
}
