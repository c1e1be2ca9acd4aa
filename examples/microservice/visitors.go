package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A visitor knows the URLs of the service's ports.
type visitor struct{ public, internal string }

// visit shows the service in an outage of the token server, at work, after its
// tokens were revoked, and shutting down. Its error is that something was not
// as it should be.
func (s *surroundings) visit(ctx context.Context, v visitor, stop func()) error {
	defer stop()
	s.auth.SetDown(http.StatusServiceUnavailable)
	alive, _, err := get(ctx, v.internal+"/livez")
	ready, why, notReady := get(ctx, v.internal+"/readyz")
	if err := errors.Join(err, notReady); err != nil {
		return err
	}
	fmt.Printf("the token server is down: /livez %d, /readyz %d\n", alive, ready)
	fmt.Printf("    %s\n", strings.TrimSpace(strings.Split(why, "\n")[0]))

	s.auth.SetDown(0)
	for ready != http.StatusOK {
		time.Sleep(100 * time.Millisecond)
		if ready, _, err = get(ctx, v.internal+"/readyz"); err != nil {
			return err
		}
	}
	fmt.Printf("it is back: /readyz %d\n", ready)

	first := s.atOnce(ctx, v, 20)
	fmt.Printf("20 visits at once: %s\n", first)
	s.auth.RevokeAll()
	fmt.Printf("20 more, all tokens having been revoked: %s\n", s.atOnce(ctx, v, 20))
	if err := v.showStatus(ctx); err != nil {
		return err
	}

	s.slow.Store(true)
	before, late := s.auth.Stats().ResourceRequests, make(chan string)
	ctx = context.WithoutCancel(ctx)
	go func() { late <- s.atOnce(ctx, v, 1) }()
	for s.auth.Stats().ResourceRequests == before {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	for ready == http.StatusOK && err == nil {
		ready, _, err = get(ctx, v.internal+"/readyz")
	}
	fmt.Printf("it shuts down: /readyz %d, the visit under way: %s\n", ready, <-late)
	return err
}

// atOnce makes n visits, and says how many were answered.
func (s *surroundings) atOnce(ctx context.Context, v visitor, n int) string {
	var wg sync.WaitGroup
	var answered atomic.Int32
	for i := range n {
		wg.Go(func() {
			status, _, err := get(ctx, fmt.Sprintf("%s/orders/%d", v.public, i))
			if err == nil && status == http.StatusOK {
				answered.Add(1)
			}
		})
	}
	wg.Wait()
	s.failed += n - int(answered.Load())
	return fmt.Sprintf("%d answered", answered.Load())
}

// showStatus prints what a program reads of the tokens and of the counts.
func (v visitor) showStatus(ctx context.Context) error {
	var page struct {
		Tokens []struct {
			Label, Audience, State string
			Counts                 struct{ Rejected int }
		}
	}
	var vars struct{ Microservice map[string]int }
	if err := errors.Join(
		getJSON(ctx, v.internal+"/debug/tokens", &page), getJSON(ctx, v.internal+"/debug/vars", &vars),
	); err != nil {
		return err
	}
	for _, t := range page.Tokens {
		if t.Label != "" { // the client's own token is not used
			fmt.Printf("    /debug/tokens: %-6s %s, revoked once: %t\n", t.Label, t.State, t.Counts.Rejected > 0)
		}
	}
	counts := vars.Microservice
	fmt.Printf("    /debug/vars: api_calls %d, api_calls_failed %d\n", counts["api_calls"], counts["api_calls_failed"])
	return nil
}

func getJSON(ctx context.Context, url string, into any) error {
	_, body, err := get(ctx, url)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(body), into)
}

func get(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}
