// Package judge holds published test vectors against the code that must decide
// them.
package judge
