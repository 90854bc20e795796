package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// maxBundleBytes bounds a trust bundle with its revocation lists, as an enrolment
// does.
const maxBundleBytes = 32 << 20

// verified is what verify prints.
type verified struct {
	Valid    bool                 `json:"valid"` // true: what does not verify is an error
	Service  string               `json:"service"`
	Found    bool                 `json:"found"`
	Registry identity.NodeID      `json:"registry"`
	Version  int64                `json:"version"`
	HeadIAT  time.Time            `json:"head_iat"`
	HeadExp  time.Time            `json:"head_exp"`
	At       time.Time            `json:"at"`      // the moment it was judged at
	AtFrom   string               `json:"at_from"` // where that comes from: head or flag
	Nodes    []netget.ServiceNode `json:"nodes"`
	LeftOut  []netget.LeftOut     `json:"left_out"`
}

// Names returns the identities.
func (v verified) Names() []string {
	var names []string
	for _, n := range v.Nodes {
		names = append(names, n.ID.String())
	}
	return names
}

// Table returns what people see.
func (v verified) Table() cli.Table {
	what := fmt.Sprintf("%d nodes of %s", len(v.Nodes), v.Service)
	if !v.Found {
		what = fmt.Sprintf("there is no service %s", v.Service)
	}
	origin := map[string]string{"head": "the head's own time", "flag": "as asked with --at"}[v.AtFrom]
	t := cli.Table{Rows: [][]string{
		{"valid", what},
		{"registry", fmt.Sprintf("%s, version %d", v.Registry, v.Version)},
		{"head", clock(v.HeadIAT) + " to " + clock(v.HeadExp)},
		{"judged at", clock(v.At) + " (" + origin + ")"},
	}}
	for _, n := range v.Nodes {
		t.Rows = append(t.Rows, []string{n.Node, strings.TrimSpace(places(n.Endpoints) + " " + activity(n))})
	}
	for _, l := range v.LeftOut {
		t.Rows = append(t.Rows, []string{"left out", fmt.Sprintf("%s: %s", l.ID, l.Code)})
	}
	return t
}

// verifyOptions are the flags of verify.
type verifyOptions struct {
	bundle  string
	service string
	at      int64
	nid     string
}

func (c *commands) verify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use: "verify ANSWER --bundle FILE", Short: "Verify a saved answer without a network", Args: cobra.ExactArgs(1),
		Long: "Verify checks an answer that 'discover --save' or anybody else has saved against a\n" +
			"trust bundle alone: no network, no marks, no identity. ANSWER may be - for standard\n" +
			"input. The exit code is 0 whenever the answer verifies, also when it proves that there\n" +
			"is no such service, and 6 when it does not.\n\n" +
			"Without --at it is judged at the time of its own head: whether it was fresh when\n" +
			"somebody got it, it cannot say.",
		Example: "  netget-client verify answer.json --bundle ./client/bundle.pem\n" +
			"  netget-client verify - --bundle bundle.json --service databaseservice --at 1767225600 < answer.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := o.moment(cmd.Flags().Changed("at"))
			if err != nil {
				return err
			}
			bundle, err := o.readBundle()
			if err != nil {
				return err
			}
			answer, err := readAnswer(c.Process.Stdin, args[0])
			if err != nil {
				return err
			}
			v, err := open(answer, bundle, o.service, at)
			if _, refused := errors.AsType[*identity.Error](err); refused {
				return cli.Hint(err, "do not use the answer: get it again, or check --bundle, --service and --at")
			}
			if err != nil {
				return err
			}
			return c.Printer().Print(v)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.bundle, "bundle", "", "trust bundle: bundle.pem of an identity folder, or the JSON of /v1/bundle")
	flags.StringVar(&o.service, "service", "", "service that was asked for (default: that of the first record)")
	flags.Int64Var(&o.at, "at", 0, "moment at which to judge, Unix seconds (default: the time of the head)")
	flags.StringVar(&o.nid, "nid", "", "the network's nid, 43 characters, where the bundle lacks the first root")
	if err := cmd.MarkFlagRequired("bundle"); err != nil {
		panic(err)
	}
	c.complete(cmd, "service", cobra.NoFileCompletions)
	return cmd
}

// moment returns when to judge; zero: at the time of the head.
func (o *verifyOptions) moment(given bool) (time.Time, error) {
	if o.service != "" {
		var err error
		if o.service, err = serviceName(o.service); err != nil {
			return time.Time{}, err
		}
	}
	if !given {
		return time.Time{}, nil
	}
	if o.at <= 0 {
		return time.Time{}, cli.Hint(cli.Usage("--at: %d is not a time in Unix seconds", o.at), "give --at $(date +%%s) for now")
	}
	return time.Unix(o.at, 0), nil
}

// readBundle reads a trust bundle in either form.
func (o *verifyOptions) readBundle() (*identity.Bundle, error) {
	var nid identity.Hash
	if o.nid != "" {
		var err error
		if nid, err = identity.ParseHash(o.nid); err != nil {
			return nil, cli.Hint(cli.Usage("--nid: %q is not a nid", o.nid), "it is the 43 characters that 'netget-ca network list' shows")
		}
	}
	text, err := readSome(o.bundle, maxBundleBytes)
	if err == nil && len(text) > maxBundleBytes {
		err = fmt.Errorf("%s is longer than %d bytes", o.bundle, maxBundleBytes)
	}
	if err != nil {
		return nil, cli.Hint(cli.Usage("--bundle: %w", err), "name bundle.pem of an identity folder, or a saved /v1/bundle")
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		b, err := identity.BundleFromPEM(text, nid)
		return b, named(o.bundle, err)
	}
	b, err := identity.ParseBundle(text)
	if err == nil && !nid.IsZero() && b.NID() != nid {
		err = identity.Refuse(identity.WrongNetwork, "the bundle is of the network %s, not %s", b.NID(), nid)
	}
	return b, named(o.bundle, err)
}

func named(file string, err error) error {
	if err == nil {
		return nil
	}
	return cli.Hint(fmt.Errorf("the bundle %s: %w", file, err),
		"it is the file after --bundle that cannot be used: name bundle.pem of an identity folder, or a saved /v1/bundle")
}

// readAnswer reads at most one byte more than an answer may have, so that
// whoever opens it sees that it is too long.
func readAnswer(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		answer, err := io.ReadAll(io.LimitReader(stdin, discovery.MaxAnswerBytes+1))
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		return answer, nil
	}
	answer, err := readSome(file, discovery.MaxAnswerBytes)
	if err != nil {
		return nil, cli.Hint(cli.Usage("reading the answer: %w", err), "name a file that 'discover --save' has written, or - for standard input")
	}
	return answer, nil
}

// readSome reads at most one byte more than most of a file.
func readSome(file string, most int64) (text []byte, err error) {
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// open verifies an answer. What was not given, service and moment, is taken
// from the answer itself.
func open(answer []byte, bundle *identity.Bundle, service string, at time.Time) (verified, error) {
	origin := "flag"
	if service == "" || at.IsZero() {
		claims, err := peek(answer)
		if err != nil {
			return verified{}, err
		}
		if at.IsZero() {
			origin, at = "head", time.Unix(claims.issuedAt, 0)
		}
		if service == "" {
			service = claims.service
		}
	}
	if service == "" {
		return verified{}, cli.Hint(cli.Usage("the answer lists no record, so it does not say which service was asked for"), "name it with --service")
	}
	view, err := discovery.NewOpener(bundle).Answer(answer, discovery.Ask{Service: service, Overheard: true, Now: at})
	if err != nil {
		return verified{}, err
	}
	v := verified{
		Valid: true, Service: view.Service, Found: view.Found, Registry: view.Head.Registry, Version: view.Head.Version,
		HeadIAT: time.Unix(view.Head.IAT, 0), HeadExp: time.Unix(view.Head.Exp, 0), At: at, AtFrom: origin,
	}
	for _, n := range view.Nodes {
		v.Nodes = append(v.Nodes, netget.NewServiceNode(n))
	}
	for _, l := range view.LeftOut {
		v.LeftOut = append(v.LeftOut, netget.LeftOut{ID: l.ID, Code: l.Code})
	}
	return v, nil
}
