package registry

import (
	_ "embed" // the OpenAPI document
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

//go:embed api/openapi.yaml
var openAPI []byte

// newRoutes mounts the routes of docs/protocol.md section 6. Echo only finds
// them: who calls and who pays was decided before, and what is answered it never
// sees.
func (s *Server) newRoutes() http.Handler {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(c.Response().Writer, c.Request(), err) }

	e.POST(recordsPath, s.route(s.postRecord))
	e.POST(heartbeatsPath, s.route(s.postHeartbeat))
	e.GET("/v1/services", s.route(s.getServices))
	e.GET("/v1/services/:service", s.route(s.getAnswer))
	e.GET("/v1/services/:service/:node", s.route(s.getNode))
	e.GET("/v1/events", s.route(s.getEvents))
	e.GET("/v1/proof", s.route(s.getProof))
	e.GET("/v1/head", s.route(s.getHead))
	e.GET("/v1/bundle", s.route(s.getBundle))
	e.GET("/openapi.yaml", s.route(s.getOpenAPI))
	return e
}

// Routes that have prices of their own.
const (
	recordsPath    = "/v1/records"
	heartbeatsPath = "/v1/heartbeats"
)

// charge takes a request from its caller's budget. A record and a heartbeat
// have their own; whatever else is asked costs a read, also where there is no
// such route.
func (s *Server) charge(c *caller, r *http.Request) error {
	b, now := s.budgets.of(c.id()), s.cfg.Now()
	switch r.Method + r.URL.Path {
	case http.MethodPost + recordsPath:
		return spend(b.records, now)
	case http.MethodPost + heartbeatsPath:
		return b.spendBeat(beatInterval(c.network.catalog, c.id()), now)
	}
	return spend(b.reads, now)
}

// A call is one request that may be answered.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	caller  *caller
	network *network
	query   url.Values
	from    int64 // the version of which the caller knows; 0: none
	param   func(name string) string
	unsent  *unsent
	through bool // a load balancer, whose address is not the caller's
}

// route makes a handler of Echo out of ours.
func (s *Server) route(handle func(*call) error) echo.HandlerFunc {
	return func(ec echo.Context) error {
		if slices.ContainsFunc(ec.ParamValues(), func(v string) bool { return strings.Contains(v, "/") }) {
			return echo.ErrNotFound // the last parameter takes all that is left of a path
		}
		c := &call{w: ec.Response().Writer, r: ec.Request(), param: ec.Param, unsent: s.unsent}
		c.through = s.limiter.Exempts(c.r.RemoteAddr)
		if counted, ok := c.w.(*countedWriter); ok {
			counted.route = ec.Path()
		}
		var err error
		if c.caller = connOf(c.r.Context()).caller.Load(); c.caller == nil {
			return identity.Refuse(identity.BadCert, "nobody is known to call")
		}
		c.network = c.caller.network
		if c.query, err = queryOf(c.r); err != nil {
			return err
		}
		if c.from, err = version(c.query, "from"); err != nil {
			return err
		}
		return handle(c)
	}
}

// snapshot returns the state that the call is answered from.
func (c *call) snapshot() (*catalog.Snapshot, error) {
	return c.network.snapshot(c.r.Context(), c.from)
}

// peer returns who calls, as the catalog wants it.
func (c *call) peer() catalog.Peer {
	p := catalog.Peer{Certificate: c.caller.cert}
	if at, err := netip.ParseAddrPort(c.r.RemoteAddr); err == nil && !c.through { // else it is no TCP connection
		p.From = at.Addr().Unmap()
	}
	return p
}

// service returns the service of the path.
func (c *call) service() (string, error) {
	name := c.param("service")
	return name, identity.CheckService(name)
}

// send answers with a body that is complete.
func (c *call) send(status int, mediaType string, body ...[]byte) error {
	h := c.w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(lengthOf(body)))
	c.w.WriteHeader(status)
	s := c.unsent.begin(c.caller.id(), body, connOf(c.r.Context()).Close)
	defer c.unsent.done(s)
	for _, part := range body {
		if _, err := c.w.Write(part); err != nil {
			return nil // the caller is gone; there is nobody else to tell
		}
	}
	return nil
}

// unchanged answers 304 if the caller holds the very head of s; it extends
// nothing that the caller knows.
func (c *call) unchanged(s *catalog.Snapshot) bool {
	head := s.Head()
	tag := make([]byte, 0, 48)
	tag = append(tag, '"')
	tag = strconv.AppendInt(tag, head.Version, 10)
	tag = append(tag, '.')
	tag = strconv.AppendInt(tag, head.IAT, 10)
	etag := string(append(tag, '"'))
	c.w.Header().Set("ETag", etag)
	for _, field := range c.r.Header["If-None-Match"] {
		for known := range strings.SplitSeq(field, ",") {
			if strings.TrimPrefix(strings.TrimSpace(known), "W/") == etag {
				c.w.WriteHeader(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}
