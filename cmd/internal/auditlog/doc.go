// Package auditlog is the command that reads a server's audit log, and the flag
// that says where it is.
package auditlog
