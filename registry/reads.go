package registry

import (
	"encoding/json"
	"net/http"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

const jsonType = "application/json"

// getHead answers with the head alone.
func (s *Server) getHead(c *call) error {
	snap, err := c.snapshot()
	if err != nil {
		return err
	}
	if c.unchanged(snap) {
		return nil
	}
	seal, err := snap.Seal(c.from)
	if err != nil {
		return err
	}
	return c.sendJSON(http.StatusOK, jsonType, discovery.HeadDocument{Seal: seal})
}

// getProof links two versions of the log. Here from is no mark but the lower
// of the two.
func (s *Server) getProof(c *call) error {
	to, err := version(c.query, "to")
	if err != nil {
		return err
	}
	if c.from < 1 || c.from >= to {
		return identity.Refuse(identity.Malformed, "a proof from version %d to %d", c.from, to)
	}
	snap, err := c.network.snapshot(c.r.Context(), to)
	if err != nil {
		return err
	}
	proof, err := snap.Consistency(c.from, to)
	if err != nil {
		return err
	}
	return c.sendJSON(http.StatusOK, jsonType, struct {
		Proof []identity.Hash `json:"proof"`
	}{proof})
}

// getBundle answers with what the network is trusted by.
func (s *Server) getBundle(c *call) error {
	if _, err := c.snapshot(); err != nil {
		return err
	}
	format, asked, err := one(c.query, "format")
	if err != nil {
		return err
	}
	if asked && format != "spiffe" {
		return identity.Refuse(identity.Malformed, "%.32q is not a format of the bundle", format)
	}
	b, err := c.network.bundle()
	if err != nil {
		return err
	}
	if !asked {
		return c.send(http.StatusOK, jsonType, b.json)
	}
	doc, err := spiffeBundle(b.of)
	if err != nil {
		return err
	}
	return c.sendJSON(http.StatusOK, jsonType, doc)
}

// getOpenAPI answers with the description of this interface.
func (s *Server) getOpenAPI(c *call) error {
	return c.send(http.StatusOK, "application/yaml", openAPI)
}

// sendJSON answers with v.
func (c *call) sendJSON(status int, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.send(status, mediaType, body)
}
