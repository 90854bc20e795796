package probe

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"github.com/neurons-me/netget/identity"
)

// askHTTP asks for the path of the check. What is there is not read.
func askHTTP(ctx context.Context, conn net.Conn, t Target) error {
	scheme, protocol := "http", ""
	if t.Check.Type == identity.CheckHTTPS {
		scheme, protocol = "https", negotiated(conn)
	}
	path := t.Check.Path
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+hostOf(t.Endpoint)+path, nil)
	if err != nil {
		return err
	}
	send := sendHTTP1
	if protocol == "h2" {
		send = sendHTTP2
	}
	return send(conn, req, func(res *http.Response) error {
		if res.StatusCode < 200 || res.StatusCode > 299 {
			return unexpected(res)
		}
		return nil
	})
}

// unexpected tells the status of an answer, if it has three digits like all of
// HTTP.
func unexpected(res *http.Response) error {
	if res.StatusCode < 0 || res.StatusCode > 999 {
		return find("no HTTP status")
	}
	return find("HTTP status %d", res.StatusCode)
}

// hostOf returns host:port of an endpoint.
func hostOf(e identity.Endpoint) string {
	return net.JoinHostPort(e.Address, strconv.FormatInt(e.Port, 10))
}
