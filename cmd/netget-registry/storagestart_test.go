package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
)

// TestStoresThatCannotBeUsed starts a registry on stores that somebody has
// changed. What it says ends with the two lines that tell a person what is wrong
// and what to do, and it never announces itself.
func TestStoresThatCannotBeUsed(t *testing.T) {
	w := newCrashWorld(t, database.URL(filepath.Join(t.TempDir(), "registry.db")))
	for _, n := range w.nodes[:3] {
		n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
		must(t, n.registerOnce(t.Context()))
		n.client.Close()
	}
	w.registry.stop(t)
	path := filepath.Join(filepath.Dir(w.store[len("sqlite://"):]), "registry.db")
	good, err := os.ReadFile(path)
	must(t, err)
	const enrolAnew = "enrol a new registry identity"
	for name, tt := range map[string]struct {
		spoil       func(t *testing.T) bool
		exit        int
		error, hint string
	}{
		"a record was changed":          {sql(path, `UPDATE object SET token = CAST(replace(CAST(token AS TEXT), 'e', 'f') AS BLOB)`), 6, "corrupt at the statement", enrolAnew},
		"a status was changed":          {sql(path, `UPDATE node SET status = 3 WHERE node LIKE '%n-0'`), 6, "corrupt at version 4", enrolAnew},
		"a node was deleted":            {sql(path, `DELETE FROM node WHERE node LIKE '%n-0'`), 6, "corrupt at version 4", enrolAnew},
		"a certificate was deleted":     {sql(path, `DELETE FROM certificate`), 6, "corrupt.*lost a certificate", enrolAnew},
		"a version was changed":         {sql(path, `UPDATE version SET made = made + 1 WHERE version = 2`), 6, "corrupt at version 2", enrolAnew},
		"a version was deleted":         {sql(path, `DELETE FROM version WHERE version = 3`), 6, "corrupt at version 4", enrolAnew},
		"the log was changed":           {sql(path, `UPDATE log_hash SET hash = zeroblob(32) WHERE position = 1`), 6, "corrupt at the log", enrolAnew},
		"the store was claimed":         {sql(path, `UPDATE claim SET registry = 'spiffe://development.netget.internal/registry/r-2'`), 6, "another registry identity", "one log for ever"},
		"a table is gone":               {sql(path, `DROP TABLE beat`), 6, "corrupt", enrolAnew},
		"a newer program has opened it": {sql(path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`), 1, "newer than this program", "the newer version"},
		"it is read-only":               {func(t *testing.T) bool { t.Helper(); return readOnly(t, filepath.Dir(path)) }, 1, "read-only", "writable for this user"},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(path, good, 0o600))
			if !tt.spoil(t) {
				return
			}
			exit, said, announced := w.runToEnd(t)
			lines := regexp.MustCompile(`(?:^|\n)error: (.+)\nhint: (.+)\n$`).FindStringSubmatch(said)
			if exit != tt.exit || lines == nil || announced != "" {
				t.Fatalf("exit code %d, want %d; announced %q; said\n%s", exit, tt.exit, announced, said)
			}
			for i, pattern := range []string{tt.error, tt.hint} {
				if !regexp.MustCompile(pattern).MatchString(lines[i+1]) {
					t.Errorf("%q does not match %q", lines[i+1], pattern)
				}
			}
		})
	}
	must(t, os.WriteFile(path, good, 0o600))
	t.Run("an identity folder that is read-only will do", func(t *testing.T) {
		if !readOnly(t, filepath.Join(w.home(), "registry", "identity")) {
			return
		}
		w.startRegistry(t)
		n := w.nodes[4]
		n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
		must(t, n.registerOnce(t.Context()))
		n.client.Close()
		w.registry.stop(t)
		if log := w.registry.stderr.String(); !strings.Contains(log, "newest head not written to its file") {
			t.Errorf("the log does not say that the newest head is kept nowhere:\n%s", log)
		}
	})
	w.startRegistry(t)
	if _, missing := w.verify(t); missing != 0 {
		t.Errorf("on the store as it was %d registrations are missing", missing)
	}
}

// sql changes a store as somebody with its file could.
func sql(path, statement string) func(t *testing.T) bool {
	return func(t *testing.T) bool {
		t.Helper()
		db, err := database.Open(t.Context(), database.Config{URL: database.URL(path), Migrations: migrations.Registry})
		must(t, err)
		err = db.Write(t.Context(), func(tx *database.Tx) error {
			_, err := tx.Exec(t.Context(), statement)
			return err
		})
		must(t, errors.Join(err, db.Close()))
		return true
	}
}

// readOnly makes a folder read-only until the test ends: by its mode, or for
// root, whom no mode stops, by a mount, if this machine lets us.
func readOnly(t *testing.T, dir string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		must(t, err)
		for _, file := range append(files, dir) {
			info, err := os.Stat(file)
			must(t, err)
			must(t, os.Chmod(file, info.Mode().Perm()&^0o222))
			t.Cleanup(func() { must(t, os.Chmod(file, info.Mode().Perm())) })
		}
		return true
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Logf("root may not mount here: %v", err)
		return false
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	must(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	return true
}

// runToEnd runs a registry that is expected to end by itself.
func (w *crashWorld) runToEnd(t *testing.T) (exit int, stderr, stdout string) {
	t.Helper()
	path, err := exec.LookPath("netget-registry") // this test binary, see TestMain
	must(t, err)
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, "serve", "--log-level", "error",
		"--home", w.home(), "--store", w.store, "--address", w.address, "--ops-address", "off")
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &out, &said
	must(t, cmd.Start())
	tooLate := time.AfterFunc(startLimit, func() { _ = cmd.Process.Kill() })
	defer tooLate.Stop()
	_ = cmd.Wait() // its exit code is what counts
	return cmd.ProcessState.ExitCode(), said.String(), out.String()
}
