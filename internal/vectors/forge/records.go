package forge

import (
	"slices"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Records returns the vectors of records and tombstones at POST /v1/records.
func Records() vectors.File[vectors.Record] {
	return vectors.File[vectors.Record]{
		About: "Records and tombstones as a registry admits or refuses them.",
		Vectors: slices.Concat(
			goodRecords(), badHeaders(), badEnvelopes(), badPayloads(), badFields(), badCounts(), badSignatures(),
			badNetworks(), badSigners(), badChains(), badTimes(), badOrders(), badTombstones(),
		),
	}
}

type row struct {
	name string
	edit edit
}

// bad returns one vector a row, all of one class.
func bad(class identity.Code, rows []row) []vectors.Record {
	var list []vectors.Record
	for _, r := range rows {
		list = append(list, newClaim(r.edit).vector(r.name, class))
	}
	return list
}

// then makes one edit after another.
func then(edits ...edit) edit {
	return func(c *claim) {
		for _, e := range edits {
			e(c)
		}
	}
}
