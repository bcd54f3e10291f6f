package nylonring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"unsafe"
)

func TestStatusOf(t *testing.T) {
	plain := errors.New("plain")
	for _, test := range []struct {
		err  error
		want Status
	}{
		{plain, StatusErr},
		{Errorf(StatusInvalid, "x"), StatusInvalid},
		{fmt.Errorf("wrapped: %w", Errorf(StatusUnsupported, "x")), StatusUnsupported},
		{Errorf(statusOK, "an error is never a success"), StatusErr},
		{Errorf(statusStreamEnd, "an error is never a success"), StatusErr},
		{Errorf(77, "not a status"), StatusErr},
	} {
		if got := statusOf(test.err); got != test.want {
			t.Errorf("%v: %v, not %v", test.err, got, test.want)
		}
	}
}

func TestErrorKeepsWhatItWraps(t *testing.T) {
	plain := errors.New("plain")
	err := Errorf(StatusInvalid, "a %d: %w", 1, plain)
	if err.Error() != "a 1: plain" || !errors.Is(err, plain) {
		t.Errorf("%v", err)
	}
	if text := (&Error{Status: StatusInvalid}).Error(); text != "Invalid" {
		t.Error(text)
	}
}

// Only what is not empty is read, and only where something can be.
func TestView(t *testing.T) {
	memory := []byte("abc")
	there := uintptr(unsafe.Pointer(&memory[0]))
	for _, test := range []struct {
		address uintptr
		n       uint64
		want    string
		err     error
	}{
		{there, 3, "abc", nil},
		{0, 0, "", nil},
		{1, 0, "", nil},
		{there, 0, "", nil},
		{0, 1, "", errUnreadable},
		{1, 1, "", errUnreadable},
		{there, 1 << 63, "", errUnreadable},
	} {
		got, err := view(test.address, test.n)
		if string(got) != test.want || err != test.err {
			t.Errorf("%#x, %d: %q, %v", test.address, test.n, got, err)
		}
	}
	runtime.KeepAlive(memory)
}

func TestHeadersGet(t *testing.T) {
	headers := Headers{{"Host", "a"}, {"x", "1"}, {"X", "2"}}
	for key, want := range map[string]string{"host": "a", "X": "1", "y": ""} {
		if got := headers.Get(key); got != want {
			t.Errorf("%s: %q, not %q", key, got, want)
		}
	}
}

// A handler can be tested without a host, as long as it does without the host's extensions.
func TestRequestWithoutAHost(t *testing.T) {
	r := &Request{Path: "/"}
	if err := r.SetState("k", nil); err != ErrNoState {
		t.Error(err)
	}
	if value, ok := r.State("k"); ok {
		t.Error(value)
	}
}

func TestRegisterRefuses(t *testing.T) {
	defer func() { registered = registration{} }()
	start := func(*Host) (Plugin, error) { return nil, nil }
	panics := func(what, name string, start func(*Host) (Plugin, error)) {
		defer func() {
			if recover() == nil {
				t.Error(what)
			}
		}()
		Register(name, "1", start)
	}
	panics("no function", "a", nil)
	panics("a name with a NUL", "a\x00b", start)
	Register("a", "1", start)
	panics("a second plugin", "b", start)
}

// recorder is a host's log that takes everything but debug.
type recorder struct{ lines []string }

func (r *recorder) logEnabled(level uint32) bool { return level < 4 }

func (r *recorder) log(sid uint64, level uint32, target, text string) {
	r.lines = append(r.lines, fmt.Sprintf("%d %d %s|%s", sid, level, target, text))
}

func TestLog(t *testing.T) {
	host := new(recorder)
	logger := slog.New(newLogHandler(host, "plug"))
	logger.Info("plain")
	logger.Error("with", "a", 1, "b c", "d e")
	logger.Debug("left out")
	logger.With("k", "v").WithGroup("g").Warn("grouped", "level", "mine", "msg", "mine")
	logger.Info("", "level", "mine", "msg", "mine")
	r := &Request{sid: 7}
	r.ctx.r = r
	logger.InfoContext(&r.ctx, "of a call")
	want := []string{
		"0 3 plug|plain",
		`0 1 plug|with a=1 "b c"="d e"`,
		"0 2 plug|grouped k=v g.level=mine g.msg=mine",
		"0 3 plug|level=mine msg=mine",
		"7 3 plug|of a call",
	}
	if fmt.Sprint(host.lines) != fmt.Sprint(want) {
		t.Errorf("%q\nnot\n%q", host.lines, want)
	}
}

func TestHostLevel(t *testing.T) {
	for level, want := range map[slog.Level]uint32{
		slog.LevelError + 4: 1, slog.LevelError: 1, slog.LevelWarn: 2, slog.LevelInfo: 3, slog.LevelInfo + 1: 3,
		slog.LevelDebug: 4, slog.LevelDebug - 1: 5,
	} {
		if got := hostLevel(level); got != want {
			t.Errorf("%v: %d, not %d", level, got, want)
		}
	}
}

// A context that nobody has looked at ends with its handler all the same.
func TestContextEndsWithItsHandler(t *testing.T) {
	r := new(Request)
	r.ctx.r = r
	r.ctx.finish()
	if err := r.ctx.Err(); err != context.Canceled {
		t.Error(err)
	}
	<-r.ctx.Done()
	if r.ctx.Value(callKey{}) != r {
		t.Error("the context does not know its call")
	}
}
