// Background answers later: after some time, or when its call is cancelled. What the paths mean stands in
// examples/README.md.
package main

import (
	"context"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"nylonring"
)

func init() { nylonring.Register("background", "0.1.0", start) }

func main() {} // never called

type background struct {
	host      *nylonring.Host
	cancelled atomic.Uint64
}

func start(host *nylonring.Host) (nylonring.Plugin, error) { return &background{host: host}, nil }

// Handle may take its time: it runs on a goroutine of its own.
func (b *background) Handle(ctx context.Context, r *nylonring.Request) ([]byte, error) {
	switch r.Path {
	case "/work":
		return work(ctx, r)
	case "/wait-cancel":
		if !b.host.Offers(nylonring.ExtCancel) {
			return nil, nylonring.Errorf(nylonring.StatusUnsupported, "the host does not say when a call is cancelled")
		}
		<-ctx.Done()
		b.cancelled.Add(1)
		return nil, ctx.Err()
	case "/cancelled":
		return strconv.AppendUint(nil, b.cancelled.Load(), 10), nil
	case "/deadline":
		deadline, ok := ctx.Deadline()
		if !ok {
			return []byte("none"), nil
		}
		return strconv.AppendInt(nil, max(0, time.Until(deadline).Milliseconds()), 10), nil
	default:
		return nil, nylonring.Errorf(nylonring.StatusUnsupported, "no such path: %s", r.Path)
	}
}

func work(ctx context.Context, r *nylonring.Request) ([]byte, error) {
	query, _ := url.ParseQuery(r.Query)
	ms, err := strconv.ParseUint(query.Get("ms"), 10, 64)
	if err != nil {
		return nil, nylonring.Errorf(nylonring.StatusInvalid, "ms: %w", err)
	}
	const longest = 1 << 40 // milliseconds, 34 years; a time.Duration has room for 292
	timer := time.NewTimer(time.Duration(min(ms, longest)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return []byte("done"), nil
	case <-ctx.Done(): // cancelled, or the plugin is stopped
		return nil, ctx.Err()
	}
}
