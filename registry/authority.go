package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

const (
	authorityTimeout  = 10 * time.Second // of one exchange, connection included
	maxAuthorityReply = 64 << 10
)

// An authority is the certificate authority of one registry identity, which
// keeps how far that identity's log has been seen.
type authority struct {
	source *identity.Source
	now    func() time.Time
}

// A headReport is the body of POST /v1/heads at the authority.
type headReport struct {
	discovery.Seal
	CRLs   identity.Hash `json:"crls"`
	Bundle identity.Hash `json:"bundle"` // SHA-256 of the body of /v1/bundle
}

// An authorityMark is the authority's mark of the asking registry; version 0 is
// none.
type authorityMark struct {
	Version int64         `json:"version"`
	Log     identity.Hash `json:"log"`
}

// AuthorityMarks returns a function that asks the authority of src how far it
// has seen the log of this registry identity: what [catalog.Config] calls
// Floors. An identity that names no authority has no mark there.
func AuthorityMarks(src *identity.Source, now func() time.Time) func(context.Context) ([]identity.RegistryMark, error) {
	a := authority{src, now}
	return func(ctx context.Context) ([]identity.RegistryMark, error) {
		if a.url() == "" {
			return nil, nil
		}
		mark, _, err := a.post(ctx, struct{}{})
		if err != nil || mark.Version == 0 {
			return nil, err
		}
		return []identity.RegistryMark{{Version: mark.Version, Log: mark.Log}}, nil
	}
}

func (a authority) url() string { return strings.TrimSuffix(a.source.Identity().Document.CA, "/") }

// post sends a report, or with an empty one only asks. The authority's mark
// comes back; elsewhere tells that the report did not go on from there.
func (a authority) post(ctx context.Context, report any) (mark authorityMark, elsewhere bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, authorityTimeout)
	defer cancel()
	body, err := json.Marshal(report)
	if err != nil {
		return mark, false, fmt.Errorf("encoding a head report: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url()+"/v1/heads", bytes.NewReader(body))
	if err != nil {
		return mark, false, fmt.Errorf("preparing a head report: %w", err)
	}
	req.Header.Set("Content-Type", jsonType)
	client := a.client()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return mark, false, fmt.Errorf("reporting to the certificate authority: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or the call has failed
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAuthorityReply))
	if err != nil {
		return mark, false, fmt.Errorf("reading the certificate authority's reply: %w", err)
	}
	return openMark(res.StatusCode, res.Header, text)
}

// openMark reads the authority's reply to a report.
func openMark(status int, header http.Header, text []byte) (mark authorityMark, elsewhere bool, err error) {
	elsewhere = status == http.StatusConflict && header.Get("Content-Type") != discovery.ProblemType
	if status != http.StatusOK && !elsewhere {
		return mark, false, identity.ParseProblem(status, header, text)
	}
	if err := identity.UnmarshalStrict(text, &mark); err != nil {
		return authorityMark{}, false, fmt.Errorf("reading the certificate authority's mark: %w", err)
	}
	if mark.Version < 0 || mark.Version > maxInteger {
		return authorityMark{}, false, identity.Refuse(identity.Malformed, "the certificate authority's mark is of version %d", mark.Version)
	}
	return mark, elsewhere, nil
}

// client makes one exchange on one connection and follows no redirects.
func (a authority) client() *http.Client {
	i := a.source.Identity()
	conf := identity.AuthorityTLS(i.Bundle, func() *identity.Credential { return i.Credential }, a.now)
	conf.NextProtos = []string{"http/1.1"} // one exchange gains nothing by HTTP/2
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaderBytes},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
