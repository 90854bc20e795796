package enroll

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/neurons-me/netget/identity"
)

// The files of a folder: two keys with their certificates, a bundle with its
// revocation lists, and what says how far others had come. Most need far less.
const (
	roomFiles = 8
	roomBytes = 64 << 10 // of each
)

// takeRoom makes the folder and fills it with as much as the identity will need:
// a disk that is full, or a folder that cannot be written, must show before the
// token is spent. Whoever writes the identity calls release first.
func takeRoom(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := identity.CheckTrustedFile(dir); err != nil {
		return nil, err
	}
	room, err := os.MkdirTemp(dir, ".enroll-*")
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(func() { _ = os.RemoveAll(room) }) // what is left there is of no use
	for range roomFiles {
		if err := occupy(room); err != nil {
			release()
			return nil, fmt.Errorf("making room for the identity: %w", err)
		}
	}
	return release, nil
}

// occupy writes one file and syncs it: some file systems find out late that they
// are full.
func occupy(dir string) error {
	f, err := os.CreateTemp(dir, "room-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, roomBytes))
	return errors.Join(err, f.Sync(), f.Close())
}
