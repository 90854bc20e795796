// Package migrations holds the tables of every store as embedded SQL.
//
// A file is named NNNNN_what.sql, begins with "-- +goose Up", and is never
// changed once it is released: the next change is the next number. There is no
// way down; a program refuses a database that is newer than itself.
package migrations

import (
	"embed"
	"io/fs"
	"path"
)

//go:embed registry ca
var files embed.FS

// Registry returns the registry's migrations for engine, "sqlite" or
// "postgres". For another engine it returns a folder that does not exist.
func Registry(engine string) fs.FS { return folder("registry", engine) }

// CA returns the certificate authority's migrations for engine, "sqlite" or
// "postgres". For another engine it returns a folder that does not exist.
func CA(engine string) fs.FS { return folder("ca", engine) }

func folder(store, engine string) fs.FS {
	sub, err := fs.Sub(files, path.Join(store, engine))
	if err != nil { // only for an invalid path, and engine is a word of ours
		return embed.FS{}
	}
	return sub
}
