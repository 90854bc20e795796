// Package enroll is the client of a network's certificate authority: it turns
// a join token into an identity folder, renews certificates under a running
// program, and fetches the network's trust bundle (docs/protocol.md section 6,
// "CA" and "Join token").
//
// What the authority refuses is a [*identity.ProblemError]; what our own checks refuse
// in the authority's replies is an [*identity.Error]. Nothing is written or
// put in force before all of a reply was checked.
package enroll
