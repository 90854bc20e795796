package registry

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/neurons-me/netget/identity"
)

// maxInteger is the greatest integer of the protocol.
const maxInteger = 1<<53 - 1

// readBody reads a body that may have so many bytes; a larger one is refused.
func readBody(r *http.Request, most int64) ([]byte, error) {
	body, err := readAll(r, most+1)
	if _, large := errors.AsType[*http.MaxBytesError](err); large || int64(len(body)) > most {
		return nil, tooLarge()
	}
	if err != nil {
		return nil, identity.Refuse(identity.Malformed, "reading the body: %w", err)
	}
	return body, nil
}

// readAll reads a body up to so many bytes. A small one comes into a place of its
// length; what is said of a larger one takes no memory before it is there.
func readAll(r *http.Request, most int64) ([]byte, error) {
	const small = 512
	if r.ContentLength < 0 || r.ContentLength > min(small, most) {
		return io.ReadAll(io.LimitReader(r.Body, most))
	}
	body := make([]byte, r.ContentLength)
	n, err := io.ReadFull(r.Body, body)
	return body[:n], err
}

// readTyped is [readBody] for a body of one media type.
func readTyped(r *http.Request, mediaType string, most int64) ([]byte, error) {
	field := r.Header.Get("Content-Type")
	if field != mediaType { // as it mostly is: then there is nothing to parse
		if got, _, err := mime.ParseMediaType(field); err != nil || got != mediaType {
			return nil, identity.Refuse(identity.Malformed, "a body of type %.64q, not %s", field, mediaType)
		}
	}
	return readBody(r, most)
}

// queryOf reads the query; what net/http would leave out in silence is refused.
func queryOf(r *http.Request) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, identity.Refuse(identity.Malformed, "reading the query: %w", err)
	}
	return q, nil
}

// one returns a member of the query, which must not be repeated.
func one(q url.Values, name string) (value string, found bool, err error) {
	values := q[name]
	if len(values) > 1 {
		return "", false, identity.Refuse(identity.Malformed, "%d times %q", len(values), name)
	}
	if len(values) == 0 {
		return "", false, nil
	}
	return values[0], true, nil
}

// version reads a version from the query; an absent one is 0.
func version(q url.Values, name string) (int64, error) {
	text, found, err := one(q, name)
	if err != nil || !found {
		return 0, err
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > maxInteger || strconv.FormatInt(v, 10) != text {
		return 0, identity.Refuse(identity.Malformed, "%.32q is not a version", text)
	}
	return v, nil
}
