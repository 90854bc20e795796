package command

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
)

func newAudit(p *cli.Program) *cobra.Command { return auditlog.Command(p, cli.Home.Registry) }

// noteEnrolled writes that the registry has got its identity; file may be "" for
// no audit log.
func noteEnrolled(file string, id identity.NodeID, notAfter, now time.Time) error {
	if file == "" {
		return nil
	}
	return audit.Append(file, audit.Entry{
		Time: now, Event: audit.Enrolled, Network: id.TrustDomain().Network(), Actor: id.String(), Node: id.String(),
		Reason: "the certificate is valid until " + notAfter.UTC().Format(time.RFC3339),
	})
}
