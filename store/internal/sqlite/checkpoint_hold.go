package sqlite

import (
	"context"
	"time"
)

// For tests of whoever uses a Checkpointer: they cannot fill a WAL, and look at
// what one tick does.

// SetRestartPages changes the policy's.
func (c *Checkpointer) SetRestartPages(pages int) {
	c.end()
	c.policy.RestartPages = pages
	c.begin()
}

// Hold ends the loop, as if it had just made a checkpoint, until it is resumed.
func (c *Checkpointer) Hold() (resume func()) {
	c.end()
	c.copiedAt = time.Now()
	return c.begin
}

// Tick does once what the loop does, and reports whether the WAL is copied then.
func (c *Checkpointer) Tick(ctx context.Context) (copied bool, err error) {
	well, err := c.tick(ctx)
	if c.note(well, err); err != nil {
		return false, err
	}
	w, err := c.checkpoint(ctx, "NOOP")
	return w.copied == w.frames, err
}

// SetFailure lets the last checkpoint have failed.
func (c *Checkpointer) SetFailure(err error) { c.note(false, err) }
