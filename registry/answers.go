package registry

import (
	"net/http"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// getAnswer says what is registered of a service, also that there is nothing.
func (s *Server) getAnswer(c *call) error {
	service, err := c.service()
	if err != nil {
		return err
	}
	known, asked, err := knownValue(c)
	if err != nil {
		return err
	}
	snap, err := c.snapshot()
	if err != nil {
		return err
	}
	if c.unchanged(snap) {
		return nil
	}
	listed := snap.Service(service)
	key, mediaType := cacheKey{answerForm, service}, discovery.AnswerType
	if asked && known == valueOf(listed) {
		key, mediaType = cacheKey{refreshForm, service}, discovery.RefreshType
	}
	return s.sendDocument(c, snap, key, mediaType, listed)
}

// knownValue reads the value that the caller holds of the service; the empty
// one, zero, is that of an absent service.
func knownValue(c *call) (value identity.Hash, asked bool, err error) {
	text, asked, err := one(c.query, "known")
	if err != nil || text == "" {
		return identity.Hash{}, asked, err
	}
	value, err = identity.ParseHash(text)
	return value, asked, err
}

// valueOf returns the value of a service in the map; zero for an absent one.
func valueOf(s *discovery.Service) identity.Hash {
	if s == nil {
		return identity.Hash{}
	}
	return s.Value()
}

// sendDocument answers with a document about one service, from the cache where
// it can. Absent services, of which there is no end, are not kept there.
func (s *Server) sendDocument(c *call, snap *catalog.Snapshot, key cacheKey, mediaType string, listed *discovery.Service) error {
	e := &entry{}
	if listed != nil {
		e = c.network.cache.entry(key, listed, s.cfg.Now())
	}
	if err := e.fill(c.network.cache, func() ([]byte, error) { return encodeBody(snap, key) }); err != nil {
		return err
	}
	tail := func() ([]byte, error) { return answerTail(snap, key.service) }
	return c.sendEntry(e, snap, tail, mediaType)
}

// sendEntry answers with an entry under the head of snap.
func (c *call) sendEntry(e *entry, snap *catalog.Snapshot, tail func() ([]byte, error), mediaType string) error {
	c.w.Header().Set("Vary", "Accept-Encoding")
	d, err := e.document(c.network.cache, snap, tail, c.from, acceptsGzip(c.r))
	if err != nil {
		return err
	}
	if d.gzipped {
		c.w.Header().Set("Content-Encoding", "gzip")
	}
	return c.send(http.StatusOK, mediaType, d.parts...)
}

// encodeBody encodes what does not depend on the head.
func encodeBody(snap *catalog.Snapshot, key cacheKey) ([]byte, error) {
	if key.form == refreshForm {
		refresh, err := snap.Refresh(key.service, 0)
		if err != nil {
			return nil, err
		}
		return open(struct {
			Records []discovery.RefreshRecord `json:"records"`
		}{refresh.Records})
	}
	answer, err := snap.Answer(key.service, 0)
	if err != nil {
		return nil, err
	}
	return open(struct {
		Records      []discovery.AnswerRecord `json:"records"`
		Certificates [][]byte                 `json:"certificates"`
		Issuers      [][]byte                 `json:"issuers"`
	}{answer.Records, answer.Certificates, answer.Issuers})
}

// getNode says what is listed of one node. That it is not is only a hint: the
// answer about the service proves it.
func (s *Server) getNode(c *call) error {
	service, err := c.service()
	if err != nil {
		return err
	}
	node, err := identity.NewNodeID(c.caller.bundle.TrustDomain(), service, c.param("node"))
	if err != nil {
		return err
	}
	snap, err := c.snapshot()
	if err != nil {
		return err
	}
	answer, err := snap.Node(node, c.from, s.cfg.Now().Unix())
	if err != nil {
		return err
	}
	return c.sendJSON(http.StatusOK, discovery.ReceiptType, answer)
}

// getServices lists all services of the network.
func (s *Server) getServices(c *call) error {
	snap, err := c.snapshot()
	if err != nil {
		return err
	}
	if c.unchanged(snap) {
		return nil
	}
	e := c.network.cache.entry(cacheKey{form: listForm}, snap.Head().Root, s.cfg.Now())
	err = e.fill(c.network.cache, func() ([]byte, error) {
		return open(struct {
			Services []discovery.ServiceRow `json:"services"`
		}{snap.Services()})
	})
	if err != nil {
		return err
	}
	return c.sendEntry(e, snap, func() ([]byte, error) { return sealTail(snap) }, "application/json")
}
