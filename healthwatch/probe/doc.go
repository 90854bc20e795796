// Package probe contacts nodes as their records ask, where policy allows it
// (docs/protocol.md section 6, "Probes").
package probe
