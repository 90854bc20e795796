package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// registration is what register prints, also as its ready line.
type registration struct {
	IsReady bool `json:"ready,omitempty"` // of the ready line only
	netget.Registration
}

// Names returns the identity.
func (r registration) Names() []string { return []string{r.ID.String()} }

// Table returns what people see.
func (r registration) Table() cli.Table {
	return cli.Table{
		Header: []string{"ID", "EXPIRES", "ACCEPTED", "NOT ACCEPTED"},
		Rows:   [][]string{{r.ID.String(), clock(r.ExpiresAt), urls(r.Accepted), problems(r.Errors)}},
	}
}

// ReadyLine returns the line for people.
func (r registration) ReadyLine() string {
	line := fmt.Sprintf("ready: %s registered at %s until %s", r.ID, urls(r.Accepted), clock(r.ExpiresAt))
	if len(r.Errors) > 0 {
		line += ", not yet at " + problems(r.Errors)
	}
	return line
}

func urls(accepted []netget.Acceptance) string {
	var list []string
	for _, a := range accepted {
		list = append(list, a.URL)
	}
	return strings.Join(list, " ")
}

func problems(errs []netget.RegistryProblem) string {
	var list []string
	for _, e := range errs {
		list = append(list, fmt.Sprintf("%s (%s)", e.URL, e.Code))
	}
	return strings.Join(list, " ")
}

// defaultDrain is for how long a node says that it will end before its command
// hears of it: clients ask again within 10 s.
const defaultDrain = 10 * time.Second

// registerOptions are the flags of register.
type registerOptions struct {
	address   string
	endpoints []string
	metadata  []string
	check     string
	ttl       time.Duration
	interval  time.Duration
	once      bool
	drain     time.Duration
}

func (c *commands) register() *cobra.Command {
	var o registerOptions
	cmd := &cobra.Command{
		Use: "register [SERVICE] --address HOST:PORT [-- COMMAND…]", Short: "Register the node and keep it registered",
		Args: registerArgs, ValidArgsFunction: c.completeOwnService,
		Long: "Register makes the node known to all registries of its network and keeps it so:\n" +
			"heartbeats, renewed records, renewed certificates. It succeeds when one registry has\n" +
			"accepted, prints one line, and deregisters when it is told to end.\n\n" +
			"With a COMMAND it runs that once the node is registered, passes signals on to it,\n" +
			"deregisters when it ends, and ends with its exit code. The command gets each signal\n" +
			"once and decides what it means. Standard output is the command's alone.\n\n" +
			"SIGTERM reaches the command after --drain: the node first says that it is draining,\n" +
			"so that others choose it no longer, and goes on for so long. A second signal, or no\n" +
			"registry to tell, ends the wait. 'netget-client drain' drains without an end.",
		Example: "  netget-client register --address 10.0.0.7:5432\n" +
			"  netget-client register databaseservice --address 10.0.0.7:5432 --endpoint metrics=10.0.0.7:9100 \\\n" +
			"      --meta version=1.4.2 --meta tags=primary,ssd --check tcp\n" +
			"  netget-client register --address 10.0.0.7:8080 --check http:/healthz -- ./server --port 8080\n" +
			"  netget-client register --address 10.0.0.7:5432 --once -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			var child []string
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				args, child = args[:dash], args[dash:]
			}
			opts, err := c.registerNode(o, args)
			if err != nil {
				return err
			}
			switch {
			case o.once && child != nil:
				return cli.Hint(cli.Usage("--once does not stay, so it cannot run a command"), "leave one of the two out")
			case o.drain < 0:
				return cli.Usage("--drain is 0s or more, not %s", o.drain)
			case o.once:
				return c.registerOnce(cmd.Context(), opts)
			}
			return cli.Stopped(cmd.Context(), c.stay(cmd.Context(), opts, o.drain, child))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.address, "address", "", "where others reach the service, HOST:PORT over TCP: its endpoint \"default\"")
	flags.StringArrayVar(&o.endpoints, "endpoint", nil, "a further endpoint, NAME=HOST:PORT, with /udp where it is not TCP; may be repeated")
	flags.StringArrayVar(&o.metadata, "meta", nil, "metadata, KEY=VALUE; may be repeated")
	flags.StringVar(&o.check, "check", "none", "how registries may probe the first endpoint: none, tcp, mtls, http:/path, https:/path or grpc")
	flags.DurationVar(&o.ttl, "ttl", netget.DefaultTTL, "life of each signed record, at most 24h; it is signed anew at half of that")
	flags.DurationVar(&o.interval, "heartbeat-interval", netget.DefaultHeartbeatInterval, "how often the node proves that it lives, 1s to 1h")
	flags.DurationVar(&o.drain, "drain", defaultDrain, "with a COMMAND, how long the node drains before SIGTERM is passed on; 0s: not at all")
	flags.BoolVar(&o.once, "once", false, "register for at most an hour without heartbeats, print and exit")
	c.complete(cmd, "check", cobra.FixedCompletions([]string{"none", "tcp", "mtls", "http:/", "https:/", "grpc"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	for _, flag := range []string{"address", "endpoint", "meta"} {
		c.complete(cmd, flag, cobra.NoFileCompletions)
	}
	return cmd
}

// registerArgs allows a service, and after a dash the command to run.
func registerArgs(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	if dash == len(args) {
		return cli.Hint(cli.Usage("there is no command after --"), "name it, or leave -- out")
	}
	if dash >= 0 {
		args = args[:dash]
	}
	if len(args) > 1 {
		return cli.Hint(cli.Usage("register takes one service, not %q", strings.Join(args, " ")), "a command to run stands after --")
	}
	return nil
}

// registerNode makes the options of a node from flags and the identity.
func (c *commands) registerNode(o registerOptions, args []string) (netget.Options, error) {
	opts, err := c.options()
	if err != nil {
		return opts, err
	}
	if opts.Endpoints, err = o.places(); err != nil {
		return opts, err
	}
	if opts.Metadata, err = parseMetadata(o.metadata); err != nil {
		return opts, err
	}
	if opts.Check, err = parseCheck(o.check); err != nil {
		return opts, err
	}
	opts.TTL, opts.HeartbeatInterval = o.ttl, o.interval
	if o.ttl == 0 || o.interval == 0 { // which the SDK would take for the default
		return opts, cli.Usage("--ttl and --heartbeat-interval are at least 1s")
	}
	i, err := c.load()
	if err != nil {
		return opts, err
	}
	return opts, checkService(i.ID(), args)
}

func (o registerOptions) places() ([]netget.Endpoint, error) {
	var places []netget.Endpoint
	if o.address != "" {
		e, err := parsePlace("address", o.address)
		if err != nil {
			return nil, err
		}
		places = append(places, e)
	}
	for _, text := range o.endpoints {
		e, err := parseEndpoint(text)
		if err != nil {
			return nil, err
		}
		places = append(places, e)
	}
	if len(places) == 0 {
		return nil, cli.Hint(cli.Usage("register needs to know where the service is reached"), "give --address HOST:PORT")
	}
	return places, nil
}

// checkService holds the service on the command line against the identity.
func checkService(id identity.NodeID, args []string) error {
	if t := id.Type(); t != identity.ServiceNode && t != identity.RegistryNode {
		return cli.Hint(cli.Fail(cli.ExitDenied, "%s is a %s, which offers no service", id, t),
			"enrol a node of the service: 'netget-ca token SERVICE', then 'netget-client enroll TOKEN --identity DIR'")
	}
	if len(args) == 0 {
		return nil
	}
	service, err := serviceName(args[0])
	if err != nil {
		return err
	}
	if service != id.Service() {
		return cli.Hint(cli.Usage("the identity %s is of the service %s, not %s", id, id.Service(), service),
			"leave the service out, or name the folder of a node of %s with --identity", service)
	}
	return nil
}

func (c *commands) registerOnce(ctx context.Context, opts netget.Options) error {
	node := netget.New(opts)
	defer func() { _ = node.Close() }() // the registration outlives it
	r, err := node.RegisterOnce(ctx)
	if err != nil {
		return explain(err)
	}
	return c.Printer().Print(registration{Registration: r})
}
