package main_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// TestKilledReplacementOfAnIdentity kills a program that replaces the identity
// in a folder, later in each round. What is there then is one identity, whole,
// or none, if the kill came between the removal of the old one and the last file
// of the new one; never a mixture.
func TestKilledReplacementOfAnIdentity(t *testing.T) {
	w := newDrillWorld(t)
	w.start(t)
	path, err := exec.LookPath("netget-client") // this test binary, see TestMain
	must(t, err)
	dir := filepath.Join(w.dir, "replaced")
	before := w.enroll(t, "client", "c-0", dir).Identity().ID()
	replaced, undisturbed := -1, time.Hour // the first is not killed, and not counted
	for round := 0; replaced < 3; round++ {
		life := undisturbed
		if round > 0 { // a kill every 40th of that time, however fast the machine is
			life = undisturbed * time.Duration(round) / 40
		}
		node := fmt.Sprintf("c-%d", round+1)
		minted, err := w.ca.Token(t.Context(), pki.TokenRequest{Network: "development", Service: "client", Node: node})
		must(t, err)
		cmd := exec.CommandContext(t.Context(), path, "enroll", "-", "--force", "--identity", dir)
		cmd.Env, cmd.Stdin = []string{}, strings.NewReader(minted.Token)
		began := time.Now()
		must(t, cmd.Start())
		kill := time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // killed, or done
		kill.Stop()
		if round == 0 {
			undisturbed = time.Since(began)
		}
		source, err := identity.NewSource(identity.NewFolder(dir))
		if errors.Is(err, identity.ErrNoIdentity) {
			before = identity.NodeID{}
			continue
		}
		if err != nil {
			t.Fatalf("killed after %s: %v", life, err)
		}
		switch now := source.Identity().ID(); {
		case now != before && now.Label() != node:
			t.Fatalf("killed after %s: the folder holds %s, before %s", life, now, before)
		case now != before:
			replaced, before = replaced+1, now
		}
	}
}
