package scripttest

import (
	"fmt"
	"syscall"
	"unsafe"
)

// LimitFileSize sets how many bytes a file may have that a process writes
// (RLIMIT_FSIZE of prlimit(2)), or [NoLimit].
func LimitFileSize(pid int, bytes uint64) error {
	var hard syscall.Rlimit
	if err := prlimit(pid, nil, &hard); err != nil {
		return fmt.Errorf("reading a limit: %w", err)
	}
	if err := prlimit(pid, &syscall.Rlimit{Cur: min(bytes, hard.Max), Max: hard.Max}, nil); err != nil {
		return fmt.Errorf("setting a limit: %w", err)
	}
	return nil
}

func prlimit(pid int, set, old *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 0, 0) //nolint:gosec // the system call takes addresses
	if errno != 0 {
		return errno
	}
	return nil
}
