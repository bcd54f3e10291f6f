package nylonring

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Plugin answers calls.
//
// It may also have one or both of these methods:
//
//	Shutdown()      // called once, after the last call has begun: stop goroutines, close connections
//	Health() error  // nil when it can serve; called by the host now and then, must not block
type Plugin interface {
	// Handle answers one call, on a goroutine of its own; any number run at the same time.
	//
	// What it returns is the call's one result: the bytes, or an error (see [Error] for the status). If it has called
	// [Request.Stream], what it returns ends the stream. A panic is answered with [StatusErr].
	//
	// ctx is done when nobody waits for the result any more, when the deadline of the call has passed, or when the
	// plugin is shut down, and in any case once Handle has returned.
	Handle(ctx context.Context, r *Request) ([]byte, error)
}

// HandlerFunc is a [Plugin] that is one function.
type HandlerFunc func(ctx context.Context, r *Request) ([]byte, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, r *Request) ([]byte, error) { return f(ctx, r) }

// registration is what Register was given, and what is made of it.
type registration struct {
	name, version string
	start         func(*Host) (Plugin, error)
	once          sync.Once
	made          unsafe.Pointer // the NrPluginInfo; written within once
}

var registered registration

// Register says what this library is: the plugin's name and version, and how one is made. It is called once, from an
// init function of package main; main itself is never called.
//
// start is called when a host starts the plugin: once, or once for each instance if the host makes several. The plugin
// does not start if it fails.
func Register(name, version string, start func(*Host) (Plugin, error)) {
	if registered.start != nil {
		panic("nylonring: Register is called twice")
	}
	if start == nil || strings.ContainsRune(name+version, 0) {
		panic("nylonring: Register needs a function, and a name and a version without a NUL")
	}
	registered.name, registered.version, registered.start = name, version, start
}

// RegisterFunc registers a plugin that is one function and keeps nothing.
func RegisterFunc(name, version string, handle HandlerFunc) {
	Register(name, version, func(*Host) (Plugin, error) { return handle, nil })
}

// instance is one plugin, for one host.
type instance struct {
	link    link
	started atomic.Bool            // the mark of the first init, or of shutdown
	running atomic.Pointer[Plugin] // nil but between init and shutdown
	ctx     context.Context        // done at shutdown
	stop    context.CancelFunc
	detail  unsafe.Pointer // C's copy of what the last health check said; of who checks, one at a time
}

func newInstance() *instance {
	in := new(instance)
	in.ctx, in.stop = context.WithCancel(context.Background())
	in.link = newLink(in)
	return in
}

// init starts the plugin; bind shows it the host. A second host that shares the library is refused.
func (in *instance) init(bind func()) Status {
	if !in.started.CompareAndSwap(false, true) {
		return StatusInvalid
	}
	bind()
	h := &Host{in}
	plugin, err := in.start(h)
	if err != nil {
		h.Logger().Error("the plugin cannot start", "error", err)
		return statusOf(err)
	}
	in.running.Store(&plugin)
	return statusOK
}

func (in *instance) start(h *Host) (plugin Plugin, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, stack())
		}
	}()
	plugin, err = registered.start(h)
	if err == nil && plugin == nil {
		err = Errorf(StatusErr, "there is no plugin")
	}
	return plugin, err
}

// shutdown stops the plugin, and lets go of it: the instance itself is never freed.
func (in *instance) shutdown() {
	in.started.Store(true)
	in.stop()
	if plugin := in.running.Swap(nil); plugin != nil {
		if p, ok := (*plugin).(interface{ Shutdown() }); ok {
			p.Shutdown()
		}
	}
}

func (in *instance) health() error {
	plugin := in.running.Load()
	if plugin == nil {
		return Errorf(StatusErr, "the plugin does not run")
	}
	if p, ok := (*plugin).(interface{ Health() error }); ok {
		return p.Health()
	}
	return nil
}

// serve runs one call and answers it, whatever becomes of its handler.
func (in *instance) serve(plugin Plugin, r *Request) {
	var body []byte
	err := error(Errorf(StatusErr, "the plugin dropped the call without ending it")) // runtime.Goexit
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(StatusErr, "the plugin panicked")
			(&Host{in}).Logger().ErrorContext(&r.ctx, "panic in a handler", "panic", p, "stack", stack())
		}
		r.ctx.finish()
		r.finish(body, err)
	}()
	body, err = plugin.Handle(&r.ctx, r)
}

// Host is the plugin's side of the host that loaded it. It stays valid for ever; any goroutine may use it.
type Host struct{ in *instance }

// The extensions of the host that this package uses, for [Host.Offers].
const (
	ExtState    = "nylon.state/1"    // [Request.SetState], [Request.State]
	ExtLog      = "nylon.log/1"      // [Host.Logger]
	ExtStream   = "nylon.stream/1"   // [Stream.Send] waits, [Stream.TrySend] refuses
	ExtCancel   = "nylon.cancel/1"   // the context of a call is done once its caller has gone
	ExtDeadline = "nylon.deadline/1" // the context of a call has the call's deadline
	ExtConfig   = "nylon.config/1"   // [Host.Config], [Host.DecodeConfig]
)

// Offers says whether the host has one of these extensions. A plugin that only does without needs not ask.
func (h *Host) Offers(extension string) bool { return h.in.link.offers(extension) }

// Config returns a copy of the configuration that the operator gave for this plugin, nil if there is none.
func (h *Host) Config() []byte { return h.in.link.config() }

// DecodeConfig reads the configuration as JSON into v, as [json.Unmarshal] does. Without a configuration it leaves v as
// it is, so that v holds the defaults.
func (h *Host) DecodeConfig(v any) error {
	config := h.Config()
	if len(config) == 0 {
		return nil
	}
	if err := json.Unmarshal(config, v); err != nil {
		return Errorf(StatusInvalid, "the plugin's configuration: %w", err)
	}
	return nil
}

// Logger returns a logger that writes to the host's log. A record that is logged with the context of a call
// ([slog.Logger.InfoContext]) says which call it is about. With a host that takes no logs it is [slog.Default].
func (h *Host) Logger() *slog.Logger {
	if !h.Offers(ExtLog) {
		return slog.Default()
	}
	return slog.New(newLogHandler(h.in.link, registered.name))
}
