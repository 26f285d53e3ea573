//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// ordinary posts with net/http's client, a connection each, as most programs
// do. It makes closed loops only.
type ordinary struct{}

func (ordinary) name() string { return "net/http's client" }

func (ordinary) load(ctx context.Context, address string, s shape, from source) (result, error) {
	total := newResult()
	var (
		mu     sync.Mutex
		failed error
		all    sync.WaitGroup
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	started := time.Now()
	for range s.connections {
		all.Go(func() {
			r, err := ordinaryLoop(ctx, "http://"+address+route, s, started, from)
			mu.Lock()
			defer mu.Unlock()
			total.add(r)
			if err != nil {
				failed = errors.Join(failed, err)
				stop()
			}
		})
	}
	all.Wait()
	total.elapsed = time.Since(started)
	return total, failed
}

func ordinaryLoop(ctx context.Context, url string, s shape, started time.Time, from source) (result, error) {
	client := http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	r := newResult()
	var body bytes.Buffer
	for ctx.Err() == nil && (s.duration == 0 || time.Since(started) < s.duration) {
		q := from.next()
		if q == nil {
			break
		}
		sent := time.Now()
		response, err := client.Post(url, "application/json", bytes.NewReader(q.body))
		if err != nil {
			return r, err
		}
		body.Reset()
		_, err = io.Copy(&body, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return r, err
		}
		a := answer{response.StatusCode, response.Header.Get("Retry-After") != "", body.Bytes(), time.Since(sent)}
		r.note(q, a)
		from.answered(q, a)
	}
	return r, ctx.Err()
}
