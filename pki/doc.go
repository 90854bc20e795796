// Package pki is netget's certificate authority: networks with a root and two
// issuers each, join tokens, enrolment and renewal over HTTPS, and the
// inventory of everything issued.
//
// An authority lives in one folder, its home, which [Init] makes and one
// process at a time opens with [Open]. Networks share nothing: not a root, not
// a token key, not a permitted name. The TLS connection chooses the network by
// its SNI, so nothing in a request can reach a network other than that of the
// certificate the server showed.
//
// Certificates are signed by smallstep's authority, one instance for each
// issuer of each network, which is given the verified [Grant] and the public
// key of the request and nothing else. Before a certificate leaves this
// package it has passed the same [identity.Bundle] verification that every
// peer will apply to it.
//
// The rules are those of docs/protocol.md, sections 1, 2 and 6.
package pki
