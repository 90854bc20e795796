package admin

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/neurons-me/netget/internal/cli"
)

// maxPathBytes is the least room for a path in a socket address among the
// systems we know (104 with the final zero on BSD and macOS, 108 on Linux).
const maxPathBytes = 103

// shorten returns a name for path that fits a socket address, and a function
// that gives back what the name needs. On Linux the name of an open folder
// below /proc stands for a path that is too long.
func shorten(path string) (short string, release func() error, err error) {
	if len(path) <= maxPathBytes {
		return path, func() error { return nil }, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, cli.Hint(cli.Usage("the path of the admin socket is longer than %d bytes: %s", maxPathBytes, path), "choose a shorter --home")
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, fmt.Errorf("opening the folder of the admin socket: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path)), folder.Close, nil
}
