package identity_test

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"io"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Seeds of the fuzz targets are the published vectors.

func seeds[V any](f *testing.F, file string) []V {
	f.Helper()
	read, err := vectors.Read[V]("../testdata/vectors", file)
	if err != nil {
		f.Fatal(err)
	}
	return read.Vectors
}

func unzipped(f *testing.F, packed []byte) []byte {
	f.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		f.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	return text
}

// vectorTokens returns all signed objects of the vectors of records, and the
// certificates that they name.
func vectorTokens(f *testing.F) (tokens []string, leaves map[identity.Hash]*x509.Certificate) {
	f.Helper()
	leaves = map[identity.Hash]*x509.Certificate{}
	for _, v := range seeds[vectors.Record](f, vectors.RecordsFile) {
		if v.TokenGzip != nil {
			v.Token = string(unzipped(f, v.TokenGzip))
		}
		tokens = append(tokens, v.Token)
		if leaf, err := x509.ParseCertificate(v.Certificate); err == nil {
			leaves[identity.Thumbprint(leaf)] = leaf
		}
	}
	return tokens, leaves
}

// compact returns a document of a vector without the file's indentation.
func compact(f *testing.F, doc json.RawMessage) []byte {
	f.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}
