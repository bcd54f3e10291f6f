package nylonring

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"
)

// logSink is where a record ends up: the host's log.
type logSink interface {
	logEnabled(level uint32) bool
	log(sid uint64, level uint32, target, text string)
}

// logHandler writes records to the host: the message, then the attributes as [slog.TextHandler] writes them.
type logHandler struct {
	sink   logSink
	target string
	attrs  slog.Handler // writes to text
	text   *logText
}

// logText is shared by a handler and those that With made of it.
type logText struct {
	mutex sync.Mutex
	bytes.Buffer
}

// noMessage stands where the message would be among the attributes.
const noMessage = "\x00"

func newLogHandler(sink logSink, target string) *logHandler {
	text := new(logText)
	onlyAttrs := func(groups []string, a slog.Attr) slog.Attr {
		_, level := a.Value.Any().(slog.Level)
		if len(groups) == 0 && (a.Key == slog.LevelKey && level || a.Key == slog.MessageKey && a.Value.String() == noMessage) {
			return slog.Attr{}
		}
		return a
	}
	options := &slog.HandlerOptions{Level: slog.Level(math.MinInt), ReplaceAttr: onlyAttrs}
	return &logHandler{sink, target, slog.NewTextHandler(text, options), text}
}

// hostLevel is the ABI's number for a level.
func hostLevel(level slog.Level) uint32 {
	switch {
	case level >= slog.LevelError:
		return 1
	case level >= slog.LevelWarn:
		return 2
	case level >= slog.LevelInfo:
		return 3
	case level >= slog.LevelDebug:
		return 4
	default:
		return 5
	}
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.sink.logEnabled(hostLevel(level))
}

func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	attrs, err := h.render(ctx, record)
	if err != nil {
		return err
	}
	var sid uint64
	if r, ok := ctx.Value(callKey{}).(*Request); ok {
		sid = r.sid
	}
	h.sink.log(sid, hostLevel(record.Level), h.target, strings.TrimSpace(record.Message+" "+attrs))
	return nil
}

func (h *logHandler) render(ctx context.Context, record slog.Record) (string, error) {
	h.text.mutex.Lock()
	defer h.text.mutex.Unlock()
	h.text.Reset()
	record.Message, record.Time = noMessage, time.Time{} // the time and the level are the host's to write
	err := h.attrs.Handle(ctx, record)
	return h.text.String(), err
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.sink, h.target, h.attrs.WithAttrs(attrs), h.text}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.sink, h.target, h.attrs.WithGroup(name), h.text}
}
