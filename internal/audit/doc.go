// Package audit is the diary of a server: who did what, what was refused and
// why, one JSON object a line in files that only their owner can read. A [Log]
// writes it without ever holding up the server, [Read] and [Follow] read it
// again.
//
// The diary is an aid to people. Nothing is decided by it: what counts is
// signed and stands in the store.
package audit
