package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"reflect"
	"syscall"

	"github.com/neurons-me/netget/identity"
)

// judgeSystem judges errors that carry no class: those about identity folders
// and those of the standard library.
func judgeSystem(err error) Report {
	if hint := folderHint(err); hint != "" {
		return Report{Code: word(ExitUsage), Exit: ExitUsage, Hint: hint}
	}
	if alert, ok := remoteAlert(err); ok {
		return judgeAlert(alert)
	}
	if untrustedPeer(err) {
		return Report{Code: string(identity.BadCert), Exit: ExitUntrusted}
	}
	if unreachable(err) {
		return Report{Exit: ExitUnavailable}
	}
	return Report{}
}

// Alerts of TLS 1.3 (RFC 8446, section 6) by which a server refuses us.
const (
	alertCertificateRevoked = 44
	alertInternalError      = 80
	alertUnrecognizedName   = 112
)

func judgeAlert(alert uint8) Report {
	switch alert {
	case alertUnrecognizedName:
		return Report{
			Code: string(identity.WrongNetwork), Exit: ExitDenied,
			Hint: "the server does not serve this network; check the address, and that the identity belongs to the network",
		}
	case alertCertificateRevoked:
		return Report{Code: string(identity.Revoked), Exit: ExitDenied}
	case alertInternalError:
		return Report{Exit: ExitUnavailable}
	}
	return Report{Code: string(identity.BadCert), Exit: ExitDenied}
}

// remoteAlert returns the TLS alert by which the other side ended the
// handshake. crypto/tls wraps received alerts in a type that it does not
// export, an uint8, in an OpError "remote error".
func remoteAlert(err error) (uint8, bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return uint8(v.Uint()), true //nolint:gosec // a reflected uint8
}

// untrustedPeer reports whether verification of the peer's chain failed.
func untrustedPeer(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok
}

// unreachable reports whether err says that no connection or no answer was to
// be had. Listening on a port is not that: it is our own failure.
func unreachable(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op != "listen"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	for _, target := range []error{
		context.DeadlineExceeded, os.ErrDeadlineExceeded, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ETIMEDOUT,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
