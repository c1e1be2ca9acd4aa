package interop_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
)

// An api is a protected resource for servers that come without one. It answers
// as RFC 6750 says.
type api struct {
	// check gives the client that a token was issued to.
	check func(token string) (clientID string, ok bool)

	mu     sync.Mutex
	denied map[string]bool // guarded by mu: tokens withdrawn here, for servers that cannot
}

func (a *api) deny(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.denied == nil {
		a.denied = make(map[string]bool)
	}
	a.denied[token] = true
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") || token == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a.mu.Lock()
	denied := a.denied[token]
	a.mu.Unlock()
	clientID, ok := a.check(token)
	if denied || !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"client_id": clientID, "body": string(body)})
}
