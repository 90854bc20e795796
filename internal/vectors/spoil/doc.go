// Package spoil serves fuzz targets: it changes a JSON document at one place,
// which random bytes seldom do without breaking all of it, and says what every
// refusal owes to whoever reads it.
package spoil
