// Streaming answers with frames. What the paths mean stands in examples/README.md.
package main

import (
	"context"
	"net/url"
	"strconv"

	"nylonring"
)

func init() { nylonring.Register("streaming", "0.1.0", start) }

func main() {} // never called

type streaming struct{ host *nylonring.Host }

func start(host *nylonring.Host) (nylonring.Plugin, error) { return &streaming{host}, nil }

func (p *streaming) Handle(ctx context.Context, r *nylonring.Request) ([]byte, error) {
	switch r.Path {
	case "/count":
		return nil, push(r, "n")
	case "/fail":
		if err := push(r, "after"); err != nil {
			return nil, err
		}
		return nil, nylonring.Errorf(nylonring.StatusErr, "failed as it was told to")
	case "/flow", "/forever":
		if !p.host.Offers(nylonring.ExtStream) {
			return nil, nylonring.Errorf(nylonring.StatusUnsupported, "the host does not say how much a stream takes")
		}
		if r.Path == "/flow" {
			return nil, flow(ctx, r)
		}
		s := r.Stream()
		for i := uint64(1); s.Send(ctx, decimal(i)) == nil; i++ {
		}
		return nil, nil
	default:
		return nil, nylonring.Errorf(nylonring.StatusUnsupported, "no such path: %s", r.Path)
	}
}

// push sends frames without asking for room.
func push(r *nylonring.Request, key string) error {
	n, err := number(r, key)
	if err != nil {
		return err
	}
	s := r.Stream()
	for i := uint64(1); i <= n; i++ {
		s.Push(decimal(i))
	}
	return nil
}

// flow sends frames as fast as the reader takes them.
func flow(ctx context.Context, r *nylonring.Request) error {
	n, err := number(r, "n")
	if err != nil {
		return err
	}
	s := r.Stream()
	for i := uint64(1); i <= n; i++ {
		if err := s.Send(ctx, decimal(i)); err != nil {
			return err
		}
	}
	return nil
}

func number(r *nylonring.Request, key string) (uint64, error) {
	query, _ := url.ParseQuery(r.Query)
	n, err := strconv.ParseUint(query.Get(key), 10, 64)
	if err != nil {
		return 0, nylonring.Errorf(nylonring.StatusInvalid, "%s: %w", key, err)
	}
	return n, nil
}

func decimal(i uint64) []byte { return strconv.AppendUint(nil, i, 10) }
