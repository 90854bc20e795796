package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// minVersion is the oldest PostgreSQL that netget supports.
const minVersion = 14

// programs are PostgreSQL's, and who runs them: PostgreSQL refuses root.
type programs struct {
	folder string
	owner  *syscall.Credential // nil: as ourselves
}

// findBinaries looks once for the newest server on this machine.
var findBinaries = sync.OnceValues(func() (programs, error) {
	folder, err := newest(candidates())
	if err != nil {
		return programs{}, err
	}
	if os.Geteuid() != 0 {
		return programs{folder: folder}, nil
	}
	owner, err := unprivileged("postgres", "nobody")
	return programs{folder: folder, owner: owner}, err
})

// candidates are the folders where packages put the server's programs.
func candidates() []string {
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
	} {
		folders, _ := filepath.Glob(pattern) // the patterns are good
		found = append(found, folders...)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(path))
		}
	}
	return found
}

// newest returns the folder with the highest version of the server.
func newest(folders []string) (string, error) {
	best, bestVersion := "", 0
	for _, folder := range folders {
		if v := version(folder); v > bestVersion {
			best, bestVersion = folder, v
		}
	}
	switch {
	case best == "":
		return "", errors.New("there are no server programs (initdb, postgres) in the usual places or PATH")
	case bestVersion < minVersion:
		return "", fmt.Errorf("PostgreSQL %d in %s is older than %d", bestVersion, best, minVersion)
	}
	return best, nil
}

// version is the major version of a folder that has all we run, or 0.
func version(folder string) int {
	for _, program := range []string{"initdb", "pg_ctl", "postgres", "psql"} {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			return 0
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "postgres"), "--version").Output() //nolint:gosec // a test runs what the machine has
	if err != nil {
		return 0
	}
	words := strings.FieldsFunc(string(out), func(r rune) bool { return r < '0' || r > '9' })
	if len(words) == 0 {
		return 0
	}
	major, err := strconv.Atoi(words[0])
	if err != nil {
		return 0
	}
	return major
}

func unprivileged(names ...string) (*syscall.Credential, error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("reading the numbers of user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("running as root, and there is none of the users %s on %s", strings.Join(names, ", "), runtime.GOOS)
}

// command prepares one of the programs, without what the environment says of
// other servers and out of reach of the terminal's signals.
func (p programs) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	if !filepath.IsAbs(program) {
		program = filepath.Join(p.folder, program)
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // a test runs what the machine has
	cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "PG") })
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: p.owner}
	return cmd
}
