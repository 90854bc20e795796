package registry_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/neurons-me/netget/discovery"
)

// contract is the OpenAPI document that every exchange of the tests is held
// against.
var contract = sync.OnceValues(func() (routers.Router, error) {
	openapi3filter.RegisterBodyDecoder(discovery.JWSType, openapi3filter.PlainBodyDecoder)
	text, err := os.ReadFile("api/openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // the tests' servers have ports of their own
	return legacy.NewRouter(doc)
})

// A checked transport holds every request that the contract knows, and every
// response to it, against the contract.
type checked struct {
	t    *testing.T
	next http.RoundTripper
}

// RoundTrip sends the request.
func (c *checked) RoundTrip(req *http.Request) (*http.Response, error) {
	router, err := contract()
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	route, params, err := router.FindRoute(req)
	if err != nil && res.StatusCode < http.StatusBadRequest && path.Clean(req.URL.Path) == req.URL.Path {
		c.t.Errorf("%s %s is not in the contract", req.Method, req.URL.Path)
	}
	if err != nil || path.Clean(req.URL.Path) != req.URL.Path {
		return res, nil //nolint:nilerr // another route or method: a test of a refusal
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if res.StatusCode < http.StatusBadRequest {
		c.checkRequest(req, in)
	}
	if !strings.Contains(res.Header.Get("Content-Encoding"), "gzip") {
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: in.Options}
		if err := openapi3filter.ValidateResponse(req.Context(), out.SetBodyBytes(body)); err != nil {
			c.t.Errorf("%s %s: the response is not that of the contract: %v", req.Method, req.URL.Path, err)
		}
	}
	return res, nil
}

// CloseIdleConnections closes those of the transport.
func (c *checked) CloseIdleConnections() { (&http.Client{Transport: c.next}).CloseIdleConnections() }

// checkRequest holds a request that was accepted against the contract.
func (c *checked) checkRequest(req *http.Request, in *openapi3filter.RequestValidationInput) {
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			c.t.Fatal(err)
		}
		req = req.Clone(req.Context())
		req.Body = body
		in.Request = req
	}
	if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
		c.t.Errorf("%s %s: the request is not that of the contract: %v", req.Method, req.URL.Path, err)
	}
}

func TestContractIsValid(t *testing.T) {
	text, err := os.ReadFile("api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}
