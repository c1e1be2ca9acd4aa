package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// processArg, as the first argument, makes this program one process of the
// fleet.
const processArg = "process"

// processHeader tells the server which process asks for a token.
const processHeader = "X-Process"

// Settings are what a process of the fleet is told.
type settings struct {
	ID           int
	TokenURL     string
	APIURL       string
	Store        storeSettings
	FetchTimeout time.Duration // the lock is lent for a third of it
	MaxAttempts  int           // at one token request; 0: the default
	Pause        time.Duration // between two calls
}

// process is what each process of the fleet does: it makes one client whose
// tokens are shared through a store, and calls the API until its parent closes
// in, or dies. The first line of in are its settings; at the second it starts.
// It says on out when it is ready, served for the first time, each call that
// failed, and at the end how long the slowest took.
func process(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Scan()
	var s settings
	if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
		return err
	}
	store, closeStore, err := s.Store.open()
	if err != nil {
		return err
	}
	defer closeStore()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: s.TokenURL,
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		// So that the server can tell who asks.
		WrapTransport: func(own http.RoundTripper) http.RoundTripper { return named{s.ID, own} },
		Retry:         ccclient.Retry{MaxAttempts: s.MaxAttempts},
		Cache:         cache.Options{Store: store, FetchTimeout: s.FetchTimeout},
	})
	if err != nil {
		return err
	}
	defer client.Close()

	fmt.Fprintln(out, "ready")
	lines.Scan()
	ctx, stop := context.WithCancel(context.Background())
	go func() { // ends with the process
		lines.Scan()
		stop()
	}()
	callUntil(ctx, client.HTTPClient(), s, out)
	return nil
}

// callUntil calls the API, one call after the other, until ctx ends.
func callUntil(ctx context.Context, client *http.Client, s settings, out io.Writer) {
	client.Timeout = 30 * time.Second
	var slowest time.Duration
	for first := true; ctx.Err() == nil; {
		start := time.Now()
		err := call(client, s.APIURL)
		took := time.Since(start)
		slowest = max(slowest, took)
		switch {
		case err != nil:
			fmt.Fprintf(out, "failed %s %v %v\n", start.Format(time.RFC3339Nano), took, err)
		case first:
			fmt.Fprintln(out, "served")
			first = false
		}
		select {
		case <-time.After(s.Pause):
		case <-ctx.Done():
		}
	}
	fmt.Fprintln(out, "slowest", slowest)
}

func call(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// named is the transport of a process.
type named struct {
	id  int
	own http.RoundTripper
}

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(processHeader, strconv.Itoa(n.id))
	return n.own.RoundTrip(r)
}
