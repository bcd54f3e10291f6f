package nylonring

import (
	"errors"
	"fmt"
)

// Status says how a call ended.
type Status uint32

// The statuses that a handler can end a call with, beside success. Their values are those of the ABI.
const (
	statusOK          Status = 0
	StatusErr         Status = 1 // the plugin failed at run time: every error without a status of its own
	StatusInvalid     Status = 2 // the request makes no sense
	StatusUnsupported Status = 3 // the plugin does not do what was asked
	statusStreamEnd   Status = 4
)

// String returns the status's name.
func (s Status) String() string {
	names := [...]string{"Ok", "Err", "Invalid", "Unsupported", "StreamEnd"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("Status(%d)", uint32(s))
}

// Error is an error with a status. A handler that returns one, wrapped or not, ends its call with that status; the text
// of the whole error goes to the caller.
type Error struct {
	Status Status
	err    error
}

// Errorf makes an [Error]. The format is that of [fmt.Errorf], %w included.
func Errorf(status Status, format string, args ...any) *Error {
	return &Error{status, fmt.Errorf(format, args...)}
}

// Error returns the text.
func (e *Error) Error() string {
	if e.err == nil {
		return e.Status.String()
	}
	return e.err.Error()
}

// Unwrap returns the error without its status.
func (e *Error) Unwrap() error { return e.err }

// statusOf is the status of an error: never one of success.
func statusOf(err error) Status {
	var e *Error
	if errors.As(err, &e) && (e.Status == StatusInvalid || e.Status == StatusUnsupported) {
		return e.Status
	}
	return StatusErr
}

// What the methods of a [Stream] say.
var (
	// ErrFull: the stream's window is full. The frame was not sent, and may be sent later.
	ErrFull = errors.New("nylonring: the stream's window is full")
	// ErrClosed: nobody reads the stream any more. The handler may return.
	ErrClosed = errors.New("nylonring: the stream is closed")
	// ErrTooLarge: the frame is larger than all that the host would buffer.
	ErrTooLarge = errors.New("nylonring: the frame is too large for the host")
)

// ErrNoState: the host keeps no state for calls.
var ErrNoState = errors.New("nylonring: the host does not offer per-call state (nylon.state/1)")
