package translog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Restore returns the log of size leaves from all its rows in order of
// position. It refuses missing, surplus or misplaced rows, as well as any row
// that is not the hash of its children; whether the leaves are the right ones
// is for the caller to see by the root.
func Restore(size int64, rows []Row) (Log, error) {
	if size < 0 || size > maxSize {
		return Log{}, fmt.Errorf("restoring a log of %d leaves", size)
	}
	if want := tlog.StoredHashCount(size); int64(len(rows)) != want {
		return Log{}, fmt.Errorf("log of %d leaves has %d rows, not %d", size, len(rows), want)
	}
	hashes := make([][32]byte, len(rows))
	for i, row := range rows {
		if row.Position != int64(i) {
			return Log{}, fmt.Errorf("log has row %d where row %d belongs", row.Position, i)
		}
		hashes[i] = row.Hash
	}
	l := chunked(size, hashes)
	if err := l.check(); err != nil {
		return Log{}, err
	}
	return l, nil
}

// chunked returns the log over hashes, which it keeps.
func chunked(size int64, hashes [][32]byte) Log {
	l := Log{size: size}
	for len(hashes) >= chunkHashes {
		l.full = append(l.full, hashes[:chunkHashes])
		hashes = hashes[chunkHashes:]
	}
	l.tail = hashes
	return l
}

// check computes all subtrees anew from the leaves.
func (l Log) check() error {
	position := int64(0)
	for n := range l.size {
		before := Log{size: n, full: l.full, tail: l.tail}
		for _, want := range before.completed(l.at(position)) {
			if l.at(position) != want {
				return fmt.Errorf("row %d of the log is not the hash of its children", position)
			}
			position++
		}
	}
	return nil
}
