package command_test

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/neurons-me/netget/cmd/netget-client/command"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzPlace reads places, checks and metadata as they are typed. What is taken
// can stand in a record, and a refusal is one of usage.
func FuzzPlace(f *testing.F) {
	for _, text := range []string{
		"metrics=10.0.0.7:9100", "dns=[2001:DB8::7]:53/udp", "A=DB.example.org:1/tcp", "a=b", "=:", "a=0.0.0.0:1", "a=[fe80::1%eth0]:1", "a=::ffff:1.2.3.4:1", "a=[::ffff:1.2.3.4]:1",
		"a=b:0", "a=b:65536", "a=b:1/sctp", "a=b:+1", "a=127.1:1", "http:/healthz", "https:x", "tcp:", "zone=a,b=c", "=x", "k", "none",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		usage := func(err error) {
			if cli.Exit(err) != 2 {
				t.Errorf("%q: %v, exit %d", text, err, cli.Exit(err))
			}
		}
		if e, err := command.ParseEndpoint(text); err != nil {
			usage(err)
		} else if label, place, _ := strings.Cut(text, "="); e.Name != label || e.Protocol != "" && !strings.HasSuffix(place, "/"+e.Protocol) {
			t.Errorf("%q reads as %+v", text, e)
		}
		if e, err := command.ParsePlace(text); err != nil {
			usage(err)
		} else if host, port, err := net.SplitHostPort(text); err != nil || !identity.IsAddress(e.Address) || strconv.Itoa(e.Port) != strings.TrimLeft(port, "0") || !sameHost(host, e.Address) {
			t.Errorf("%q reads as %+v", text, e)
		}
		if c, err := command.ParseCheck(text); err != nil {
			usage(err)
		} else if c.Path != "" && c.Type+":"+c.Path != text || c.Path == "" && strings.TrimSuffix(text, ":") != c.Type {
			t.Errorf("%q reads as %+v", text, c)
		}
		if m, err := command.ParseMetadata([]string{text}); err != nil {
			usage(err)
		} else if key, value, found := strings.Cut(text, "="); !found || len(m) != 1 || m[key] != value {
			t.Errorf("%q reads as %q", text, m)
		}
	})
}

// sameHost compares a host as it was typed with the canonical one.
func sameHost(typed, address string) bool {
	if ip, err := netip.ParseAddr(typed); err == nil {
		return ip.Unmap().String() == address
	}
	return identity.FoldName(typed) == address
}

// FuzzPeek reads what an answer claims of itself, before anything is verified.
func FuzzPeek(f *testing.F) {
	file, err := vectors.Read[vectors.Answer]("../../../testdata/vectors", vectors.AnswersFile)
	if err != nil {
		f.Fatal(err)
	}
	for i, v := range file.Vectors {
		if v.Doc != "" && len(v.Doc) < 64<<10 && (v.Class == "" || i%8 == 0) {
			f.Add([]byte(v.Doc), uint16(i), byte(i), []byte{0, byte(i), 1})
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, place uint16, way byte, with []byte) {
		doc = spoil.JSON(doc, place, way, with)
		if len(doc) > discovery.MaxAnswerBytes {
			return
		}
		spoil.Bounded(t, len(doc), 64, func() {
			if _, _, err := command.Peek(doc); err != nil {
				spoil.Refused(t, err)
			}
		})
	})
}
