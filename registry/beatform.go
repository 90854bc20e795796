package registry

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/neurons-me/netget/identity"
)

// Heartbeats are most of what a registry is sent. All programs of this module
// write them in one way, which is read and answered here without reflection; any
// other JSON that docs/protocol.md section 6 allows takes the long way.

// hashChars is the length of a hash's text form.
const hashChars = 43

// parseBeat reads a heartbeat. What is wrong with it is [identity.Malformed].
func parseBeat(body []byte) (beatRequest, error) {
	if req, ok := parsePlainBeat(body); ok {
		return req, nil
	}
	var req beatRequest
	if err := identity.UnmarshalStrict(body, &req); err != nil {
		return beatRequest{}, err
	}
	return req, nil
}

// parsePlainBeat reads a heartbeat in its usual form,
// {"rid":"…","k":1,"token":"…"} with or without ,"receipt":true at its end. ok
// is false for any other, good or bad.
func parsePlainBeat(b []byte) (req beatRequest, ok bool) {
	if req.RID, b, ok = cutHash(b, `{"rid":"`); !ok {
		return beatRequest{}, false
	}
	k, b, ok := cutNumber(b, `","k":`)
	if !ok {
		return beatRequest{}, false
	}
	req.K = &k
	if req.Token, b, ok = cutHash(b, `,"token":"`); !ok {
		return beatRequest{}, false
	}
	switch string(b) {
	case `"}`:
		return req, true
	case `","receipt":true}`:
		req.Receipt = true
		return req, true
	}
	return beatRequest{}, false
}

// cutHash takes what stands before a hash, and the hash.
func cutHash(b []byte, before string) (h identity.Hash, rest []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(before))
	if !ok || len(b) < hashChars {
		return h, nil, false
	}
	h, err := identity.ParseHash(string(b[:hashChars]))
	return h, b[hashChars:], err == nil
}

// cutNumber takes what stands before a number, and the number, of as many digits
// as any of the protocol has at most.
func cutNumber(b []byte, before string) (n int64, rest []byte, ok bool) {
	const most = 16
	b, ok = bytes.CutPrefix(b, []byte(before))
	digits := 0
	for digits < len(b) && '0' <= b[digits] && b[digits] <= '9' {
		n = 10*n + int64(b[digits]-'0')
		digits++
		if digits > most {
			return 0, nil, false
		}
	}
	return n, b[digits:], ok && digits > 0 && (b[0] != '0' || digits == 1)
}

// encode returns the reply's JSON.
func (r *beatReply) encode() ([]byte, error) {
	status, err := r.Status.MarshalText()
	if err != nil || r.Receipt != nil {
		return json.Marshal(r)
	}
	b := make([]byte, 0, 160)
	b = append(b, `{"rid":"`...)
	b = append(b, r.RID.String()...)
	b = append(b, `","status":"`...)
	b = append(b, status...)
	b = append(b, `","time":`...)
	b = strconv.AppendInt(b, r.Time, 10)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, r.Version, 10)
	if r.Late {
		b = append(b, `,"late":true`...)
	}
	return append(b, '}'), nil
}
