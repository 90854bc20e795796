// Package registry is the server that nodes register at and discover each
// other through: the HTTP interface over mutual TLS in front of the catalog of
// each network.
//
// One process may serve several networks that share nothing: the name that a
// client asks for in the TLS handshake chooses the network, and with it the
// certificate shown, the roots that the client's certificate is judged by, and
// the catalog behind. Nothing in a request can name another one.
//
// Whatever is sent is made to be verified by the receiver, see package
// discovery; this package decides only who may ask, how much and how fast.
//
// Source: docs/protocol.md, section 6; routes and documents are described in
// api/openapi.yaml, which the server serves at /openapi.yaml.
package registry
