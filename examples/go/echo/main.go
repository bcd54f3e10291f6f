// Echo answers each request with what it was. What the paths mean stands in examples/README.md.
//
//	go build -buildmode=c-shared -o libecho.so ./echo
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	"nylonring"
)

func init() { nylonring.Register("echo", "0.1.0", start) }

func main() {} // never called

type echo struct{ host *nylonring.Host }

func start(host *nylonring.Host) (nylonring.Plugin, error) { return &echo{host}, nil }

func (e *echo) Handle(ctx context.Context, r *nylonring.Request) ([]byte, error) {
	switch r.Path {
	case "/invalid":
		return nil, nylonring.Errorf(nylonring.StatusInvalid, "this request makes no sense")
	case "/unsupported":
		return nil, nylonring.Errorf(nylonring.StatusUnsupported, "this plugin does not do that")
	case "/err":
		return nil, errors.New("something went wrong") // any error without a status of its own
	case "/panic":
		panic("on purpose")
	case "/drop":
		runtime.Goexit() // leaves the handler without an answer
	case "/state":
		if err := r.SetState("k", r.Body); err != nil {
			return nil, err
		}
		value, _ := r.State("k")
		return value, nil
	case "/config":
		return e.host.Config(), nil
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s?%s\n", r.Method, r.Path, r.Query)
	for _, h := range r.Headers {
		fmt.Fprintf(&text, "%s: %s\n", h.Key, h.Value)
	}
	text.WriteByte('\n')
	text.Write(r.Body)
	return text.Bytes(), nil
}
