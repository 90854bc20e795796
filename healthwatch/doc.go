// Package healthwatch decides which nodes of a network are up, suspect or down.
//
// [Health] is the judgement of one node, a pure step function over heartbeats,
// probes and time. A [Watch] keeps one for each node, has them probed as their
// records want it, and proposes what has to change; a brake holds it back
// where too much would turn down at once (docs/protocol.md sections 5 and 6).
package healthwatch
