package nylonring

import "context"

// A Stream carries the frames of one call. Any goroutine may use it until the handler returns; frames arrive in the
// order in which they were sent, one after the other.
type Stream struct {
	r       *Request
	windows bool // whether the host offers nylon.stream/1
}

// What became of a frame, as the ABI numbers it.
const (
	sent uint32 = iota
	full
	closed
)

// Send sends a copy of frame, and waits until the stream's window has room for it. It returns the error of ctx if that is
// done first, [ErrClosed] if nobody reads the stream any more, or [ErrTooLarge].
//
// With a host that has no windows (nylon.stream/1) it never waits.
func (s *Stream) Send(ctx context.Context, frame []byte) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.TrySend(frame); err != ErrFull {
			return err
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

// TrySend sends a copy of frame if the stream's window has room for it, and never waits. It returns [ErrFull] if it has
// none, [ErrClosed] if nobody reads the stream any more, or [ErrTooLarge].
func (s *Stream) TrySend(frame []byte) error {
	if !s.windows {
		s.Push(frame)
		return nil
	}
	switch s.r.in.link.trySend(s.r.sid, frame) {
	case sent:
		return nil
	case full:
		return ErrFull
	case closed:
		return ErrClosed
	default:
		return ErrTooLarge
	}
}

// Push sends a copy of frame at once: what its reader does not take is buffered by the host, without asking for room.
// Past the host's buffer limit the stream ends with an error, so Push is for few and small frames.
func (s *Stream) Push(frame []byte) { s.r.in.link.send(s.r.sid, statusOK, frame) }

// wait returns nil when it is worth trying again: there is room, or the stream is over.
func (s *Stream) wait(ctx context.Context) error {
	happened := make(chan struct{})
	switch s.r.in.link.onWritable(s.r.sid, func(uint32) { close(happened) }) {
	case watchRegistered:
	case watchAlready:
		return nil
	case watchClosed:
		return ErrClosed
	default:
		return Errorf(StatusErr, "the host refuses to say when the stream takes frames again")
	}
	select {
	case <-happened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
