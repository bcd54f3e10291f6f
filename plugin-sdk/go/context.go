package nylonring

import (
	"context"
	"math"
	"sync"
	"time"
)

// What became of a registration with the host, as the ABI numbers it.
const (
	watchRegistered uint32 = iota
	watchAlready
	watchClosed
	watchRefused
)

// eventOver: a callback's event when nothing happened and nothing will.
const eventOver uint32 = 0

// callContext is the context of one call.
//
// Most handlers never look at it. So the host is asked about the deadline, and told to report a cancellation, only when
// the context is first used (start). From then on it is an ordinary context, inner.
type callContext struct {
	r     *Request
	once  sync.Once
	inner context.Context // written within once, like stop
	stop  context.CancelFunc
}

// callKey finds the call of a context, for the log.
type callKey struct{}

func (c *callContext) start() context.Context {
	c.once.Do(func() {
		in, sid := c.r.in, c.r.sid
		if left := in.link.remaining(sid); left > math.MaxInt64 {
			c.inner, c.stop = context.WithCancel(in.ctx)
		} else {
			c.inner, c.stop = context.WithTimeout(in.ctx, time.Duration(left))
		}
		stop := c.stop
		became := in.link.onCancel(sid, func(event uint32) {
			if event != eventOver {
				stop()
			}
		})
		if became == watchClosed {
			stop()
		}
	})
	return c.inner
}

// finish ends the context with its handler: what the handler left behind sees that the call is over.
func (c *callContext) finish() {
	c.once.Do(func() {
		c.inner, c.stop = context.WithCancel(context.Background())
	})
	c.stop()
}

func (c *callContext) Deadline() (time.Time, bool) { return c.start().Deadline() }

func (c *callContext) Done() <-chan struct{} { return c.start().Done() }

func (c *callContext) Err() error { return c.start().Err() }

func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.r
	}
	return c.start().Value(key)
}
