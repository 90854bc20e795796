// Package attack holds a test, "make attack": it sends everything that must be
// refused to the real programs, as processes of their own with real ports, TLS
// and stores, and wants each refusal to be the right one that leaves no trace.
package attack
