// Package catalog is the state of one network as a registry keeps it.
//
// Statements of nodes come in, are admitted one by one, and change the state in
// versions: one goroutine, the committer, takes all that waits, makes it durable
// in a [Store], signs the head and publishes the next [Snapshot]. Questions are
// answered from snapshots alone. Nothing is signed that is not durable, and
// nothing is believed that was read back: at start every row is verified again.
//
// Source: docs/protocol.md, sections 4 and 5.
package catalog
