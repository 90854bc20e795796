package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
)

// grpcPrefixBytes precede a message: whether it is compressed, and its length.
const grpcPrefixBytes = 5

// askGRPC calls grpc.health.v1.Health/Check for the whole server, by HTTP/2 as
// the gRPC protocol describes it.
func askGRPC(ctx context.Context, conn net.Conn, t Target) error {
	if negotiated(conn) != "h2" { // old servers choose nothing
		return errNotHTTP2
	}
	emptyMessage := make([]byte, grpcPrefixBytes) // not compressed, of no bytes
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+hostOf(t.Endpoint)+"/grpc.health.v1.Health/Check", bytes.NewReader(emptyMessage))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	return sendHTTP2(conn, req, judgeGRPC)
}

// judgeGRPC reads the answer to a call.
func judgeGRPC(res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return unexpected(res)
	}
	body, err := io.ReadAll(res.Body) // sendHTTP2 bounds it
	if err != nil {
		return err
	}
	status := res.Trailer.Get("Grpc-Status")
	if status == "" {
		status = res.Header.Get("Grpc-Status") // an answer of nothing but trailers
	}
	if status != "0" {
		return errorOfStatus(status)
	}
	return checkServing(body)
}

// errorOfStatus says which status a call has: one of gRPC's codes, which are 0
// to 16, or none.
func errorOfStatus(status string) error {
	code, err := strconv.ParseUint(status, 10, 64)
	if err != nil || code > 16 || strconv.FormatUint(code, 10) != status {
		return find("no gRPC status")
	}
	return find("gRPC status %d", code)
}

// checkServing reads a HealthCheckResponse with its prefix. Its field 1, a
// varint of which the last counts, is the status; what else there is belongs to
// later versions.
func checkServing(body []byte) error {
	const statusField, serving = 1, 1
	if len(body) < grpcPrefixBytes || body[0] != 0 || int64(binary.BigEndian.Uint32(body[1:])) != int64(len(body)-grpcPrefixBytes) {
		return find("not a gRPC message")
	}
	var status int32
	for message := body[grpcPrefixBytes:]; len(message) > 0; {
		f, rest, err := nextField(message)
		if err != nil {
			return err
		}
		if f.number == statusField && f.wire == wireVarint {
			status = int32(f.varint) //nolint:gosec // enumerations are cut like this
		}
		message = rest
	}
	if status != serving {
		return find("serving status %d", status)
	}
	return nil
}
