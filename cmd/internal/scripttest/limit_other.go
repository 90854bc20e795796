//go:build !linux

package scripttest

import "errors"

// LimitFileSize needs prlimit(2), which only Linux has.
func LimitFileSize(int, uint64) error { return errors.ErrUnsupported }
