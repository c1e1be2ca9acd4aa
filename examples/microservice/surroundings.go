package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// surroundings are what a service finds where it is deployed: an authorization
// server, an API that demands its tokens, and a secret in a file.
type surroundings struct {
	auth       *cctest.Server
	api        *httptest.Server
	dir        string
	secretFile string
}

func startSurroundings() (*surroundings, error) {
	dir, err := os.MkdirTemp("", "microservice")
	if err != nil {
		return nil, err
	}
	s := &surroundings{dir: dir, secretFile: filepath.Join(dir, "client-secret")}
	if err := os.WriteFile(s.secretFile, []byte(cctest.DefaultClientSecret+"\n"), 0o600); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	s.auth = cctest.NewServer(cctest.Options{})
	s.api = httptest.NewServer(s.auth.ProtectScopes(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "three orders")
	}), "orders:read"))
	return s, nil
}

func (s *surroundings) Close() {
	s.api.Close()
	s.auth.Close()
	os.RemoveAll(s.dir)
}

// apiHost is what the token may be sent to.
func (s *surroundings) apiHost() string { return strings.TrimPrefix(s.api.URL, "http://") }

// visit makes some requests to the service, all at once.
func visit(ctx context.Context, serviceURL string) {
	var wg sync.WaitGroup
	for _, tenant := range []string{"north", "south", "north", "west", "south", "north"} {
		wg.Go(func() {
			answer, err := get(ctx, serviceURL+"/orders/"+tenant)
			if err != nil {
				answer = err.Error()
			}
			fmt.Printf("%s: %s\n", tenant, strings.TrimSpace(answer))
		})
	}
	wg.Wait()
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
