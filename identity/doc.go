// Package identity holds who a node is: its name, its certificate with the
// chain that proves it, the trust bundle of its network, what it signs
// (records, tombstones, heartbeat chains) and how two of them speak TLS.
//
// Everything that exists is valid: a [NodeID], a [Certificate], a [Statement]
// can only be made by the function that checks it. Refusals are an [*Error]
// with the class of docs/protocol.md.
package identity
