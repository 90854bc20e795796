package discovery

import "github.com/neurons-me/netget/identity"

// OpenCurrent opens the statement that came with a 409.
func (c *Client) OpenCurrent(p *identity.ProblemError) (*identity.Statement, error) {
	return c.openCurrent(p)
}

// Refused judges the refusal of a registry that may be behind.
func (c *Client) Refused(o *Opener, ask Ask, err error) error {
	return c.refused(o, ask, question{}, err)
}

// AddCRLs takes the bundle of a registry.
func (c *Client) AddCRLs(doc []byte) (newer bool, err error) { return c.addCRLs(doc) }

// OpenBeat opens the reply to a heartbeat.
func OpenBeat(o *Opener, doc []byte, s *identity.Statement, receipt bool, ask Ask) (*BeatReply, error) {
	if !receipt {
		return readBeat(doc, s)
	}
	reply, _, err := openBeat(o, doc, s, ask)
	return reply, err
}

// ParseLink reads a proof between two versions.
func ParseLink(doc []byte) ([]identity.Hash, error) { return parseLink(doc) }

// ParseEvents reads the reply to a question for events.
func ParseEvents(doc []byte, after int64) (*EventsPage, error) { return parseEvents(doc, after) }
