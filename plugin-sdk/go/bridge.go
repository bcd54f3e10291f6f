package nylonring

/*
#cgo CFLAGS: -std=gnu11 -O2
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/cgo"
	"runtime/debug"
	"unicode/utf8"
	"unsafe"
)

// This file is the boundary with C: what the host calls (nrgoXxx), and the host's functions as methods of [link]. No
// panic leaves what the host calls, and nothing in Go keeps a pointer that C does not own.

// link is the C side of an instance: the way to the host. Its methods may be called once [link.bind] was.
type link struct{ c *C.nrgo_instance }

func newLink(in *instance) link { return link{C.nrgo_new(C.uintptr_t(cgo.NewHandle(in)))} }

func instanceOf(c *C.nrgo_instance) *instance {
	return cgo.Handle(C.nrgo_handle(c)).Value().(*instance)
}

// contain answers a panic with an error. To be deferred by every function that C calls.
func contain(status *C.NrStatus) {
	if recover() != nil && status != nil {
		*status = C.NR_STATUS_ERR
	}
}

//export nrgoInfo
func nrgoInfo() (info *C.NrPluginInfo) {
	defer contain(nil)
	return registered.info()
}

// info makes what the host asks for, once.
func (r *registration) info() *C.NrPluginInfo {
	r.once.Do(func() {
		if r.start == nil {
			fmt.Fprintln(os.Stderr, "nylonring: no plugin: call nylonring.Register in an init function of package main")
			return
		}
		first := newInstance()
		if first.link.c != nil {
			r.made = unsafe.Pointer(C.nrgo_new_info(first.link.c, forever(r.name), forever(r.version)))
		}
	})
	return (*C.NrPluginInfo)(r.made)
}

// forever copies a text to where C may keep it.
func forever(text string) C.NrStr { return C.nr_str(C.CString(text)) }

//export nrgoCreate
func nrgoCreate() unsafe.Pointer {
	defer contain(nil)
	return unsafe.Pointer(newInstance().link.c)
}

//export nrgoInit
func nrgoInit(c *C.nrgo_instance, hostCtx C.uintptr_t, vtable *C.NrHostVTable) (status C.NrStatus) {
	defer contain(&status)
	in := instanceOf(c)
	return C.NrStatus(in.init(func() { C.nrgo_bind(c, hostCtx, vtable) }))
}

//export nrgoShutdown
func nrgoShutdown(c *C.nrgo_instance) {
	defer contain(nil)
	instanceOf(c).shutdown()
}

//export nrgoHandle
func nrgoHandle(c *C.nrgo_instance, sid C.uint64_t, req *C.nrgo_request, payload C.nrgo_view) (status C.NrStatus) {
	defer contain(&status)
	in := instanceOf(c)
	plugin := in.running.Load()
	if plugin == nil {
		return C.NR_STATUS_INVALID
	}
	r, ok := newRequest(req, payload)
	if !ok {
		return C.NR_STATUS_INVALID
	}
	r.of(in, uint64(sid))
	go in.serve(*plugin, r)
	return C.NR_STATUS_OK
}

//export nrgoHealth
func nrgoHealth(c *C.nrgo_instance) (wrong *C.char) {
	in := instanceOf(c)
	var err error = Errorf(StatusErr, "the health check panicked")
	defer func() {
		_ = recover()
		C.free(in.detail)
		in.detail = nil
		if err != nil {
			wrong = C.CString(err.Error())
			in.detail = unsafe.Pointer(wrong)
		}
	}()
	err = in.health()
	return nil
}

//export nrgoEvent
func nrgoEvent(user C.uintptr_t, event C.uint32_t) {
	defer contain(nil)
	h := cgo.Handle(user)
	happened := h.Value().(func(uint32))
	h.Delete()
	happened(uint32(event))
}

// errUnreadable is what becomes of a view that the contract forbids to read.
var errUnreadable = errors.New("nylonring: a view that cannot be read")

// view is the memory of the host at an address: to be copied before the function that got it returns. What is empty may be
// anywhere, so no pointer is made of its address.
func view(address uintptr, n uint64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if address < 4096 || n > math.MaxInt64 {
		return nil, errUnreadable
	}
	first := *(**byte)(unsafe.Pointer(&address))
	return unsafe.Slice(first, n), nil
}

func copyBytes(b C.nrgo_view) ([]byte, error) {
	v, err := view(uintptr(b.address), uint64(b.len))
	return append([]byte(nil), v...), err
}

func copyText(s C.nrgo_text) (string, error) {
	v, err := view(uintptr(s.address), uint64(s.len))
	if err == nil && !utf8.Valid(v) {
		err = errUnreadable
	}
	return string(v), err
}

// newRequest copies a request; false if it breaks the contract.
func newRequest(req *C.nrgo_request, payload C.nrgo_view) (*Request, bool) {
	r := new(Request)
	var errs [4]error
	r.Method, errs[0] = copyText(req.method)
	r.Path, errs[1] = copyText(req.path)
	r.Query, errs[2] = copyText(req.query)
	r.Body, errs[3] = copyBytes(payload)
	if errors.Join(errs[:]...) != nil {
		return nil, false
	}
	if req.headers_len == 0 {
		return r, true
	}
	r.Headers = make(Headers, req.headers_len)
	for i, h := range unsafe.Slice(req.headers, req.headers_len) {
		var keyErr, valueErr error
		r.Headers[i].Key, keyErr = copyText(h.key)
		r.Headers[i].Value, valueErr = copyText(h.value)
		if keyErr != nil || valueErr != nil {
			return nil, false
		}
	}
	return r, true
}

func (l link) send(sid uint64, status Status, payload []byte) {
	C.nrgo_send(l.c, C.uint64_t(sid), C.NrStatus(status), start(payload), C.uint64_t(len(payload)))
}

// start is the address of the first byte, for C to read during one call.
func start(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func textStart(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

func (l link) offers(id string) bool {
	text := C.CString(id)
	defer C.free(unsafe.Pointer(text))
	return C.nrgo_offers(l.c, text) != 0
}

// setState returns what the host says against it, or nothing.
func (l link) setState(sid uint64, key string, value []byte) string {
	said := C.nrgo_set_state(l.c, C.uint64_t(sid), textStart(key), C.uint32_t(len(key)), start(value), C.uint64_t(len(value)))
	text, err := copyBytes(said)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// getState copies what is stored; false if nothing is. An empty value has an address.
func (l link) getState(sid uint64, key string) ([]byte, bool) {
	found := C.nrgo_get_state(l.c, C.uint64_t(sid), textStart(key), C.uint32_t(len(key)))
	value, err := copyBytes(found)
	return value, err == nil && found.address != 0
}

func (l link) config() []byte {
	config, _ := copyBytes(C.nrgo_config(l.c))
	return config
}

func (l link) logEnabled(level uint32) bool { return C.nrgo_log_enabled(l.c, C.uint32_t(level)) != 0 }

func (l link) log(sid uint64, level uint32, target, text string) {
	C.nrgo_log(l.c, C.uint64_t(sid), C.uint32_t(level), textStart(target), C.uint32_t(len(target)), textStart(text),
		C.uint32_t(len(text)))
}

func (l link) trySend(sid uint64, frame []byte) uint32 {
	return uint32(C.nrgo_try_send(l.c, C.uint64_t(sid), start(frame), C.uint64_t(len(frame))))
}

// onWritable and onCancel have happened called once, on any thread, if and only if they return watchRegistered.
func (l link) onWritable(sid uint64, happened func(event uint32)) uint32 {
	return watch(happened, func(user C.uintptr_t) C.uint32_t { return C.nrgo_on_writable(l.c, C.uint64_t(sid), user) })
}

func (l link) onCancel(sid uint64, happened func(event uint32)) uint32 {
	return watch(happened, func(user C.uintptr_t) C.uint32_t { return C.nrgo_on_cancel(l.c, C.uint64_t(sid), user) })
}

// watch registers a function of Go by a handle, which the call of it deletes.
func watch(happened func(uint32), register func(user C.uintptr_t) C.uint32_t) uint32 {
	h := cgo.NewHandle(happened)
	became := uint32(register(C.uintptr_t(h)))
	if became != watchRegistered {
		h.Delete()
	}
	return became
}

func (l link) remaining(sid uint64) uint64 { return uint64(C.nrgo_remaining(l.c, C.uint64_t(sid))) }

func stack() string { return string(debug.Stack()) }
