package registry

import (
	"net/http"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// postRecord takes a record or a tombstone of the caller.
func (s *Server) postRecord(c *call) error {
	token, err := readTyped(c.r, discovery.JWSType, identity.MaxTokenBytes)
	if err != nil {
		return err
	}
	if _, err := c.snapshot(); err != nil { // nothing is done for who knows more than we do
		return err
	}
	out, err := c.network.catalog.Submit(c.r.Context(), string(token), c.peer())
	if err != nil {
		return c.audited(err)
	}
	status := http.StatusOK
	if out.Created {
		status = http.StatusCreated
	}
	receipt, err := s.receiptOf(c, out)
	if err != nil {
		return err
	}
	return c.sendJSON(status, discovery.ReceiptType, receipt)
}

// receiptOf proves to whoever brought a statement that it counts.
func (s *Server) receiptOf(c *call, out *catalog.Outcome) (any, error) {
	if out.Statement.IsTombstone() {
		return c.network.catalog.TombstoneReceipt(c.r.Context(), out, c.from)
	}
	return out.Snapshot.Receipt(out.Statement.Node(), c.from, s.cfg.Now().Unix(), out.Notes)
}

// audited marks a refusal of which the catalog has written the audit entry.
func (c *call) audited(err error) error {
	if counted, ok := c.w.(*countedWriter); ok {
		counted.audited = true
	}
	return err
}
