package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ccclient/go-ccclient/ccclient"
)

// A job copies records from one API to another.
type job struct {
	client         *ccclient.Client
	http           *http.Client // the client's
	source, target string
	marks          *checkpoint
	workers        int
	progress       progress
	say            func(line string)

	cut  int // after so many records the job is cut off; 0: it is not
	sent atomic.Int64
}

var (
	errCutOff   = errors.New("cut off, as -fail-after says")
	errRejected = errors.New("the token was rejected")
)

// A record is what is copied.
type record struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

// pages returns how many pages the source has.
func (j *job) pages(ctx context.Context) (n int, err error) {
	var answer struct{ Pages int }
	err = j.get(ctx, j.source+"/records", &answer)
	return answer.Pages, err
}

// copy copies all pages that are not done yet, some at once.
func (j *job) copy(ctx context.Context, pages int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(j.workers)
	for page := range pages {
		if j.marks.done(page) {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return j.copyPage(ctx, page) })
	}
	return g.Wait()
}

// copyPage copies what the target does not have yet of a page. Of a page that an earlier run has begun and not ended
// nobody knows how far it got, so the target is asked.
func (j *job) copyPage(ctx context.Context, page int) error {
	var records []record
	if err := j.get(ctx, fmt.Sprintf("%s/records?page=%d", j.source, page), &records); err != nil {
		return err
	}
	has := map[int]bool{}
	if j.marks.begun(page) {
		var ids []int
		if err := j.get(ctx, fmt.Sprintf("%s/records?page=%d", j.target, page), &ids); err != nil {
			return err
		}
		for _, id := range ids {
			has[id] = true
		}
	} else if err := j.marks.begin(page); err != nil {
		return err
	}
	for _, r := range records {
		if has[r.ID] {
			continue
		}
		if err := j.call(ctx, http.MethodPut, fmt.Sprintf("%s/records/%d", j.target, r.ID), r, nil); err != nil {
			return err
		}
		if n := j.sent.Add(1); j.cut > 0 && n >= int64(j.cut) {
			return errCutOff
		}
	}
	j.progress.add(len(records))
	return j.marks.end(page, len(records))
}

func (j *job) get(ctx context.Context, url string, answer any) error {
	return j.call(ctx, http.MethodGet, url, nil, answer)
}

// call makes one call of an API. It sits out an authorization server that is down: without a token nothing was sent,
// and what was rejected for its token, when there was no other, was not done.
func (j *job) call(ctx context.Context, method, url string, body, answer any) error {
	for rejected := false; ; {
		err := j.callOnce(ctx, method, url, body, answer)
		down, ok := errors.AsType[*ccclient.Error](err)
		switch {
		case ctx.Err() == nil && ok && down.Temporary():
		case ctx.Err() == nil && !rejected && errors.Is(err, errRejected):
			rejected = true
		default:
			return err
		}
		start := time.Now()
		if err := j.client.Wait(ctx); err != nil {
			return err
		}
		j.progress.note(fmt.Sprintf("waited %.1fs for the authorization server", time.Since(start).Seconds()))
	}
}

func (j *job) callOnce(ctx context.Context, method, url string, body, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	resp, err := j.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s %s: %w", method, url, errRejected)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s answered %s", method, url, resp.Status)
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
