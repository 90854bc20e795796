// Package vectors reads the published test vectors in testdata/vectors: inputs
// with the verdict that every implementation of docs/protocol.md must reach.
// The folder's README describes the format for those who do not read Go. Package
// forge makes the vectors; `go run ./internal/vectors/make` writes them.
package vectors
