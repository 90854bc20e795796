package cli

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"unicode"

	"github.com/neurons-me/netget/identity"
)

// defaultHint says what to do about an error that brings no hint of its own.
func defaultHint(r Report, err error) string {
	switch r.Exit {
	case ExitUsage:
		return "run the command with --help for its flags and examples"
	case ExitNotFound:
		return "check the name and the network; 'netget-client services' lists what is registered"
	case ExitDenied:
		return deniedHint(identity.Code(r.Code))
	case ExitUnavailable:
		return unavailableHint(err)
	case ExitUntrusted:
		return untrustedHint(identity.Code(r.Code))
	case ExitInterrupted:
		return "run the command again; what was finished is kept"
	}
	return failureHint(identity.Code(r.Code), err)
}

func deniedHint(code identity.Code) string {
	switch code { //nolint:exhaustive // classes that deny; the others share the last line
	case identity.Revoked:
		return "this identity was revoked; ask the operator for a new join token and enrol again"
	case identity.BadCert:
		return "the certificate was refused, it may have expired; enrol again with a new join token"
	case identity.WrongNetwork:
		return "the server is of another network; check the address and the identity folder"
	case identity.Binding:
		return "the certificate in use is not the one that signed; restart the program, or enrol again"
	}
	return "the identity in use has no right to do this; check --identity, or ask the operator"
}

func unavailableHint(err error) string {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens at this address; start the server, or check the address and port"
	}
	return "check that the server runs and that the network reaches it, then try again"
}

func untrustedHint(code identity.Code) string {
	switch code { //nolint:exhaustive // classes with a likely innocent cause; the others share the last line
	case identity.BadCert:
		return "the other side is not a server of this network as this machine knows it; check the address and the clock"
	case identity.BadTime, identity.Stale:
		return "what was received is out of date, or this machine's clock is wrong; check the clock, try another registry"
	case identity.Revoked:
		return "the other side was revoked; use another registry and tell the operator"
	}
	return "nothing of it was used; try another registry with --registry, and tell the operator"
}

func failureHint(code identity.Code, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program uses this port; stop it, or choose another with --address (port 0 takes a free one)"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return "free some space on the disk, or raise the quota or limit, then run the command again"
	case errors.Is(err, syscall.EROFS):
		return "the disk is read-only; choose a folder that can be written with --home or --identity"
	case errors.Is(err, fs.ErrPermission):
		return "run as the user who owns the folder, or choose another with --home"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path, --home and --identity"
	case code == identity.BadTime:
		return "check that the clocks of this machine and of the server are right"
	case code == identity.Superseded:
		return "a newer state of this node is registered; is the identity used on two machines?"
	}
	return "the log has the details; run again with --log-level debug"
}

// folderHint says what to do about an identity folder that cannot be used as
// it is, or "" if that is not what err is about.
func folderHint(err error) string {
	switch {
	case errors.Is(err, identity.ErrNoIdentity):
		return "enrol first with a join token ('enroll TOKEN'), or name the folder with --identity DIR"
	case errors.Is(err, identity.ErrFileMode):
		return "leave the file to its owner alone: chmod 600 FILE, or chmod 700 for a folder; chown it if it belongs to another user"
	case errors.Is(err, identity.ErrNotRegular):
		return "name a new file, or a regular file to replace; devices, links, pipes and folders are left alone"
	case errors.Is(err, identity.ErrIdentityExists):
		return "use the identity that is there, choose another folder with --identity DIR, or replace it with --force"
	}
	return ""
}

// oneLine keeps a text on its line and its bytes from driving the terminal:
// some of it was sent by others.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
