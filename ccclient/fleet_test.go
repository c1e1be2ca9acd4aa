package ccclient_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// answers makes clients, of n processes of a fleet, of a server that answers everything with status and body.
func answers(t *testing.T, n int, store cache.Store, status int, header http.Header,
	body string) (fleet []*ccclient.Client, requests *int) {
	requests = new(int)
	server := cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		maps.Copy(w.Header(), header)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	for range n {
		c, err := ccclient.New(ccclient.Config{
			TokenURL: asTokenURL, ClientID: "orders",
			Auth:       ccclient.ClientSecretBasic(ccclient.SecretString("secret-of-orders")),
			HTTPClient: &http.Client{Transport: server}, Retry: ccclient.Retry{MaxAttempts: 1},
			Cache: cache.Options{Store: store},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fleet = append(fleet, c)
	}
	return fleet, requests
}

func TestFleetSharesAnErrorWithItsMeaning(t *testing.T) {
	for _, x := range []struct {
		status    int
		header    http.Header
		body      string
		code      ccclient.ErrorCode
		after     time.Duration
		temporary bool
	}{
		{429, http.Header{"Retry-After": {"60"}}, ``, "", time.Minute, true},
		{503, nil, ``, "", 0, true},
		{401, nil, `{"error":"invalid_client","error_description":"canary words"}`, ccclient.InvalidClient, 0, false},
		{400, nil, `{"error":"invalid_scope"}`, ccclient.InvalidScope, 0, false},
		{400, nil, `{"error":"canary_code"}`, "", 0, false},
	} {
		t.Run(fmt.Sprint(x.status, x.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := cache.Memory()
				fleet, requests := answers(t, 3, store, x.status, x.header, x.body)
				for i, c := range fleet {
					_, err := c.Token(t.Context())
					synctest.Wait()
					e, ok := err.(*ccclient.Error)
					if !ok {
						t.Fatalf("process %d: %T %v, want an *Error", i, err, err)
					}
					if i == 0 {
						continue
					}
					if e.Code != x.code || e.StatusCode != x.status || e.RetryAfter != x.after ||
						e.Temporary() != x.temporary {
						t.Errorf("process %d: %+v", i, e)
					}
					text := err.Error()
					if strings.Count(text, "ccclient: ") != 1 || !strings.Contains(text, "orders") ||
						!strings.Contains(text, "as.example.com") || strings.Contains(text, "canary") {
						t.Errorf("process %d: %v", i, text)
					}
					var elsewhere *cache.FailedElsewhere
					if !errors.As(err, &elsewhere) {
						t.Errorf("process %d does not say where it was", i)
					}
				}
				if *requests != 1 {
					t.Errorf("%d token requests by a fleet", *requests)
				}
			})
		})
	}
}

func TestWhatConcernsTheClientCoolsDownAllItsTargets(t *testing.T) {
	for name, x := range map[string]struct {
		status int
		header http.Header
		body   string
		all    bool
	}{
		"429":                  {429, http.Header{"Retry-After": {"60"}}, ``, true},
		"503":                  {503, nil, ``, true},
		"502":                  {502, nil, `<html>`, true},
		"invalid_client":       {401, nil, `{"error":"invalid_client"}`, true},
		"unauthorized_client":  {400, nil, `{"error":"unauthorized_client"}`, true},
		"bare 401":             {401, nil, ``, true},
		"no endpoint":          {404, nil, ``, true},
		"429 with some code":   {429, http.Header{"Retry-After": {"60"}}, `{"error":"invalid_request"}`, true},
		"invalid_scope":        {400, nil, `{"error":"invalid_scope"}`, false},
		"invalid_target":       {400, nil, `{"error":"invalid_target"}`, false},
		"access_denied":        {403, nil, `{"error":"access_denied"}`, false},
		"answer without token": {200, nil, `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet, requests := answers(t, 1, nil, x.status, x.header, x.body)
				for range 2 {
					for i := range 10 {
						if _, err := fleet[0].For(ccclient.Target{Audience: fmt.Sprint("api-",
							i)}).Token(t.Context()); err == nil {
							t.Error("no error")
						}
					}
				}
				want := 10
				if x.all {
					want = 1
				}
				if *requests != want {
					t.Errorf("%d token requests for 10 targets, want %d", *requests, want)
				}
			})
		})
	}
}

func TestTargetThatIsAFaultCoolsDownNoOther(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		if _, err := r.For(ccclient.Target{Scopes: []string{"not legal"}}).Token(t.Context()); err == nil {
			t.Error("no error")
		}
		r.token()
	})
}
