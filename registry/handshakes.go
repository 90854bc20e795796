package registry

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
)

// Whoever fails the handshake is nobody yet, so all strangers share one small
// budget of audit entries.
const (
	strangerRate  = 0.1 // a second
	strangerBurst = 30
)

// An httpLog hears what net/http would log: handshakes that failed become audit
// entries beside it.
type httpLog struct {
	slog.Handler // the ordinary log

	audit     *slog.Logger
	now       func() time.Time
	strangers *audit.Budget
}

func (s *Server) newHTTPLog() *httpLog {
	return &httpLog{
		Handler: s.cfg.Logger.Handler(), audit: s.cfg.Audit, now: s.cfg.Now,
		strangers: audit.NewBudget(strangerRate, strangerBurst),
	}
}

// Enabled wants everything, for the audit entries.
func (l *httpLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle takes one message.
func (l *httpLog) Handle(ctx context.Context, r slog.Record) error {
	if remote, why, failed := cutHandshake(r.Message); failed && refusedByUs(why) {
		l.refused(ctx, remote, why)
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

func (l *httpLog) refused(ctx context.Context, remote, why string) {
	leftOut, ok := l.strangers.Spend(l.now())
	if !ok {
		return
	}
	code, reason := classOf(why)
	audit.Entry{
		Time: l.now(), Event: audit.HandshakeRefused, Remote: remote, Code: code, Reason: reason, LeftOut: leftOut,
	}.Write(ctx, l.audit)
}

// cutHandshake takes apart how net/http tells of a handshake that failed.
func cutHandshake(message string) (remote, why string, found bool) {
	rest, found := strings.CutPrefix(message, "http: TLS handshake error from ")
	if !found {
		return "", "", false
	}
	return strings.Cut(rest, ": ")
}

// refusedByUs reports whether we ended the handshake: not who only looked
// whether the port is open, and not who refused us. A reason with a class is
// ours, whatever its words end with: they may quote what a stranger has sent.
func refusedByUs(why string) bool {
	if _, _, classed := cutClass(why); classed {
		return true
	}
	return why != "EOF" && why != "unexpected EOF" && !strings.HasPrefix(why, "remote error: ") &&
		!strings.HasSuffix(why, ": connection reset by peer") && !strings.HasSuffix(why, ": broken pipe")
}

// classOf returns the error class of why we ended a handshake, and the reason
// without it. What crypto/tls refuses by itself has no class and no certificate
// to count.
func classOf(why string) (identity.Code, string) {
	if why == "tls: no certificates configured" { // how crypto/tls says it, see identity.ServerTLS
		return identity.WrongNetwork, "the server name that was asked for names no network of this registry"
	}
	if code, reason, classed := cutClass(why); classed {
		return code, reason
	}
	return identity.BadCert, why
}

// cutClass takes the error class off a reason that begins with one.
func cutClass(why string) (code identity.Code, reason string, classed bool) {
	class, reason, _ := strings.Cut(why, ": ")
	switch code := identity.Code(class); code { //nolint:exhaustive // the classes that a certificate is refused with
	case identity.BadCert, identity.Revoked, identity.Binding, identity.WrongNetwork, identity.Denied, identity.Malformed, identity.Limits:
		return code, reason, true
	}
	return "", "", false
}
