package nylonring

import (
	"math"
	"strings"
)

// A Request is one call: a copy, which the plugin may keep and change.
type Request struct {
	Method, Path string
	Query        string // without the question mark
	Headers      Headers
	Body         []byte

	in     *instance // nil in a request that no host made
	sid    uint64
	ctx    callContext
	stream *Stream
}

// A Header is a name, in the case the caller wrote it, and a value.
type Header struct{ Key, Value string }

// Headers are those of a request, in their order; names may repeat.
type Headers []Header

// Get returns the value of the first header of that name, in any case of ASCII letters; empty if there is none.
func (h Headers) Get(key string) string {
	for _, header := range h {
		if strings.EqualFold(header.Key, key) {
			return header.Value
		}
	}
	return ""
}

// of makes r a call of that instance.
func (r *Request) of(in *instance, sid uint64) {
	r.in, r.sid = in, sid
	r.ctx.r = r
}

// finish sends the call's last result.
func (r *Request) finish(body []byte, err error) {
	switch {
	case err != nil:
		r.in.link.send(r.sid, statusOf(err), []byte(err.Error()))
	case r.stream != nil:
		r.in.link.send(r.sid, statusStreamEnd, body)
	default:
		r.in.link.send(r.sid, statusOK, body)
	}
}

// Stream makes the call a streaming one: any number of frames, then what the handler returns, an error or the bytes of
// the last frame (nil for an empty one). Only the handler's goroutine may call Stream; the stream it returns is for any.
func (r *Request) Stream() *Stream {
	if r.stream == nil {
		r.stream = &Stream{r, r.in.link.offers(ExtStream)}
	}
	return r.stream
}

// SetState stores a copy of value in the host, for this call, until it is over. (A handler that only wants to remember
// something has variables for that: the state is for what the host or another part of the plugin reads.)
func (r *Request) SetState(key string, value []byte) error {
	if r.in == nil || !r.in.link.offers(ExtState) {
		return ErrNoState
	}
	if len(key) > math.MaxUint32 {
		return Errorf(StatusInvalid, "the key of the state is too long")
	}
	if said := r.in.link.setState(r.sid, key, value); said != "" {
		return Errorf(StatusErr, "the host refused to store the state: %s", said)
	}
	return nil
}

// State returns a copy of what is stored for this call; false if nothing is.
func (r *Request) State(key string) ([]byte, bool) {
	if r.in == nil || len(key) > math.MaxUint32 {
		return nil, false
	}
	return r.in.link.getState(r.sid, key)
}
