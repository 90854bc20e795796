package audit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/neurons-me/netget/identity"
)

// maxText bounds each text of an entry, in bytes: much of it comes from
// strangers. What is read may be a little longer, by what says that it was cut.
const (
	maxText     = 512
	maxReadText = maxText + 64
)

// An Entry is one event. Members that do not apply are zero.
type Entry struct {
	Time    time.Time     `json:"time"`
	Event   Event         `json:"event"`
	Network string        `json:"network"`
	Actor   string        `json:"actor"`    // the identity that did it
	Remote  string        `json:"remote"`   // the address that it came from
	Node    string        `json:"node"`     // the identity that it is about
	RID     string        `json:"rid"`      // of a record or tombstone
	Serial  string        `json:"serial"`   // of a certificate
	Code    identity.Code `json:"code"`     // error class
	Reason  string        `json:"reason"`   // in words
	Version int64         `json:"version"`  // of the network's log
	LeftOut int64         `json:"left_out"` // entries of this kind, of this actor, that were left out before it
}

// Write gives the entry to a log such as [Log.With] returns. A zero Time is now.
func (e Entry) Write(ctx context.Context, log *slog.Logger) { e.WriteAt(ctx, log, e.Event.level()) }

// WriteAt is [Entry.Write] with another loudness in the ordinary log.
func (e Entry) WriteAt(ctx context.Context, log *slog.Logger, level slog.Level) {
	if !log.Enabled(ctx, level) {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	r := slog.NewRecord(e.Time.UTC(), level, strings.ReplaceAll(clean(string(e.Event), maxText), "-", " "), 0)
	r.AddAttrs(e.attrs()...)
	_ = log.Handler().Handle(ctx, r) // a diary that cannot be written counts that itself
}

func (e Entry) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("event", string(e.Event))}
	for _, text := range []struct{ key, value string }{
		{"network", e.Network},
		{"actor", e.Actor},
		{"remote", e.Remote},
		{"node", e.Node},
		{"rid", e.RID},
		{"serial", e.Serial},
		{"code", string(e.Code)},
		{"reason", e.Reason},
	} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.key, clean(text.value, maxText)))
		}
	}
	if e.Version != 0 {
		attrs = append(attrs, slog.Int64("version", e.Version))
	}
	if e.LeftOut != 0 {
		attrs = append(attrs, slog.Int64("left_out", e.LeftOut))
	}
	return attrs
}

// cleaned returns the entry as it may be shown, whoever has written it.
func (e Entry) cleaned() Entry {
	for _, text := range []*string{&e.Network, &e.Actor, &e.Remote, &e.Node, &e.RID, &e.Serial, &e.Reason} {
		*text = clean(*text, maxReadText)
	}
	e.Event, e.Code = Event(clean(string(e.Event), maxReadText)), identity.Code(clean(string(e.Code), maxReadText))
	return e
}

// clean bounds a text and takes out of it what a terminal would obey, or would
// show in another order than it was written.
func clean(text string, most int) string {
	if len(text) > most {
		end := most
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = fmt.Sprintf("%s… and %d bytes", text[:end], len(text)-end)
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Reason returns why something was refused without its class, which has a member
// of its own.
func Reason(err error) string {
	return strings.TrimPrefix(err.Error(), string(identity.CodeOf(err))+": ")
}

// ID returns the text of an identity for an entry: "" of nobody.
func ID(id identity.NodeID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
