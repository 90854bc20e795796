// Package authority is the certificate authority of a folder as programs use
// it: commands reach it through the server that runs there or, when none
// does, by opening the folder; netget-ca serve and netget-registry dev run it
// (docs/cli.md, "Admin socket").
package authority
