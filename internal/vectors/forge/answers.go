package forge

import (
	"slices"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Answers returns the vectors of what registries send.
func Answers() vectors.File[vectors.Answer] {
	return vectors.File[vectors.Answer]{
		About: "What registries send, as a client takes or refuses it.",
		Vectors: slices.Concat(
			goodAnswers(), partAnswers(), movedAnswers(), badDocuments(), badSealers(), badHeads(), badLogs(), badLists(), badEntries(),
			refreshes(), receipts(), tombstoneReceipts(), nodeAnswers(), serviceLists(), heads(),
		),
	}
}

// spoilt is one row of a table of bad answers.
type spoilt struct {
	name    string
	prepare func(*scene)
}

func badAnswers(class identity.Code, rows []spoilt) []vectors.Answer {
	var list []vectors.Answer
	for _, r := range rows {
		list = append(list, newScene(r.prepare).vector(r.name, class))
	}
	return list
}
