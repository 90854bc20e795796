package registry

import (
	"net/http"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// unknownInterval stands in for the interval of a record that is not listed.
const unknownInterval = time.Second

// A beatRequest is the body of POST /v1/heartbeats.
type beatRequest struct {
	RID     identity.Hash `json:"rid"`
	K       *int64        `json:"k"` // nil: not sent
	Token   identity.Hash `json:"token"`
	Receipt bool          `json:"receipt"`
}

// A beatReply answers it.
type beatReply struct {
	RID     identity.Hash    `json:"rid"`
	Status  discovery.Status `json:"status"`
	Time    int64            `json:"time"` // the registry's clock, Unix seconds
	Version int64            `json:"version"`
	Late    bool             `json:"late,omitempty"`
	Receipt any              `json:"receipt,omitempty"`
}

// postHeartbeat takes a token of the caller's record.
func (s *Server) postHeartbeat(c *call) error {
	body, err := readTyped(c.r, jsonType, maxBodyBytes)
	if err != nil {
		return err
	}
	req, err := parseBeat(body)
	if err != nil {
		return err
	}
	if req.RID.IsZero() || req.K == nil || req.Token.IsZero() {
		return identity.Refuse(identity.Malformed, "a heartbeat without rid, k or token")
	}
	if _, err := c.snapshot(); err != nil {
		return err
	}
	out, err := c.network.catalog.Beat(c.r.Context(), c.peer(), req.RID, identity.Beat{K: *req.K, Token: req.Token})
	if identity.CodeOf(err) == identity.BadSignature {
		c.w.Header().Set("Connection", "close") // somebody is guessing
	}
	if err != nil {
		return c.audited(err)
	}
	reply := beatReply{RID: out.RID, Status: out.Status, Time: out.Time, Version: out.Snapshot.Head().Version, Late: out.Late}
	if req.Receipt {
		if reply.Receipt, err = out.Snapshot.Receipt(c.caller.id(), c.from, out.Time, c.network.catalog.Notes(c.caller.id())); err != nil {
			return err
		}
	}
	text, err := reply.encode()
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, jsonType, text)
}

// beatInterval returns how often the node's listed record promises a token.
func beatInterval(c *catalog.Catalog, node identity.NodeID) time.Duration {
	if interval, ok := c.Interval(node); ok {
		return interval
	}
	return unknownInterval
}
