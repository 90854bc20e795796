package catalog

import (
	"context"

	"github.com/neurons-me/netget/identity"
)

// Whose statement is in a version is unheard until that version, or one after it,
// has a head: before, nobody may rely on it.

// publish signs the newest version, and tells those whose statements it carries.
func (c *Catalog) publish(ctx context.Context) {
	err := c.sign(ctx)
	if err != nil {
		err = identity.Refuse(identity.Unavailable, "signing the head: %w", err)
	}
	c.answerUnheard(err)
}

// refuseUnheard answers those whose statements are in a version that gets no head
// yet. Posting them again is harmless.
func (c *Catalog) refuseUnheard() {
	c.answerUnheard(identity.Refuse(identity.Unavailable, "the store does not answer"))
}

func (c *Catalog) answerUnheard(err error) {
	moves := c.unheard
	c.unheard = nil
	for _, m := range moves {
		if err == nil { // until here the record before was shown, and beat
			c.dropBeats(m)
		}
		switch {
		case m.entry == nil:
		case err != nil:
			m.entry.answer(nil, err)
		default:
			m.entry.answer(c.outcome(m.next.state, m.next.applied, true), nil)
		}
	}
}

// dropBeats forgets the heartbeats of a record that is not listed any more.
func (c *Catalog) dropBeats(m move) {
	if m.old != nil && m.old.listed && (!m.next.listed || m.next.state.RID() != m.old.state.RID()) {
		c.beats.drop(m.old.state.RID())
	}
}
