// Package discovery is how nodes are found without trusting the directory.
//
// A registry arranges the records of a network in a map of services, signs one
// head for it, and answers with proofs ([Answer], [Receipt], [ServiceList]).
// A client opens an answer with an [Opener]: it accepts all of it or nothing.
// What a client has seen before, its [Marks], keeps a registry from going back.
// [Client] asks several registries and joins what they say.
//
// Source: docs/protocol.md, section 5.
package discovery
