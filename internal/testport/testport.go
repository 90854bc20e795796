// Package testport keeps TCP ports for the servers of a test that come and go.
// Between an end and the next start, a port is free otherwise, and whoever asks for
// any port may be given it.
package testport
