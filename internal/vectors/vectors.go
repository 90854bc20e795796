package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/neurons-me/netget/identity"
)

// The files of the folder.
const (
	RecordsFile      = "records.json"
	HeartbeatsFile   = "heartbeats.json"
	AnswersFile      = "answers.json"
	ProofsFile       = "proofs.json"
	CanonicalFile    = "canonical.json"
	IdentitiesFile   = "identities.json"
	CertificatesFile = "certificates.json"
)

// A File is one file of vectors of one kind.
type File[V any] struct {
	About   string `json:"about"`
	Vectors []V    `json:"vectors"`
}

// A Case is what all vectors begin with. Class is the class of the refusal;
// "" says that the input is good.
type Case struct {
	Name  string        `json:"name"`
	Class identity.Code `json:"class"`
}

// Title returns the sentence that names the vector.
func (c Case) Title() string { return c.Name }

// Verdict returns the class that the input must be refused with; "" for none.
func (c Case) Verdict() identity.Code { return c.Class }

// Read reads a file of the folder dir. Members that V does not have are an
// error, so that no vector says more than is checked.
func Read[V any](dir, name string) (File[V], error) {
	var f File[V]
	text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // vectors lie where the caller says
	if err != nil {
		return f, fmt.Errorf("reading vectors: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return f, fmt.Errorf("reading %s: %w", name, err)
	}
	return f, nil
}

// Encode returns the bytes of a file.
func Encode[V any](f File[V]) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("encoding vectors: %w", err)
	}
	return b.Bytes(), nil
}
