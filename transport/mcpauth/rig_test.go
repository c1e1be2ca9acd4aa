package mcpauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/mcpauth"
)

const (
	endpoint = "http://127.0.0.1/mcp" // of the MCP server, in memory
	issuer   = "https://login.example.com"
	metadata = "http://127.0.0.1/.well-known/oauth-protected-resource/mcp"
)

// newClient returns a client of as that needs no sockets.
func newClient(t *testing.T, as *cctest.Server, change ...func(*ccclient.Config)) *ccclient.Client {
	t.Helper()
	cfg := ccclient.Config{
		Issuer: issuer, ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// is returns the Client of Options for a program that knows one issuer.
func is(client *ccclient.Client) func(context.Context, string) (*ccclient.Client, error) {
	return func(_ context.Context, at string) (*ccclient.Client, error) {
		if at != issuer {
			return nil, nil
		}
		return client, nil
	}
}

// A pipe is a listener in memory, with sockets that virtual time can wait for.
type pipe struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe { return &pipe{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accept <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A rig is an MCP server of the official SDK, with its middleware for tokens, behind net/http.
type rig struct {
	as   *cctest.Server
	http *http.Client // reaches the MCP server

	resource oauthex.ProtectedResourceMetadata
	// scopes, if set, says what a call of a tool needs; what a token lacks is answered with 403.
	scopes func(tool string) []string

	calls    atomic.Int32 // of tools
	refused  atomic.Int32 // requests that were answered with 401
	lacking  atomic.Int32 // and with 403
	metadata atomic.Int32 // requests for metadata
}

func newRig(t *testing.T, as *cctest.Server, required ...string) *rig {
	t.Helper()
	listener := newPipe()
	connections := &http.Transport{DialContext: listener.dial}
	r := &rig{as: as, http: &http.Client{Transport: connections}}
	r.resource = oauthex.ProtectedResourceMetadata{Resource: endpoint, AuthorizationServers: []string{issuer}}

	server := mcp.NewServer(&mcp.Implementation{Name: "server", Version: "1"}, nil)
	type in struct {
		Text string `json:"text"`
	}
	for _, tool := range []string{"echo", "read", "write"} {
		mcp.AddTool(server, &mcp.Tool{Name: tool}, func(
			_ context.Context, _ *mcp.CallToolRequest, args in,
		) (*mcp.CallToolResult, any, error) {
			r.calls.Add(1)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: args.Text}}}, nil, nil
		})
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	protected := auth.RequireBearerToken(r.verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: metadata, Scopes: required,
	})(r.withScopes(handler))

	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, q *http.Request) {
		r.metadata.Add(1)
		auth.ProtectedResourceMetadataHandler(&r.resource).ServeHTTP(w, q)
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, q *http.Request) {
		protected.ServeHTTP(&counting{ResponseWriter: w, r: r}, q)
	})
	s := &http.Server{Handler: mux}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(listener) })
	t.Cleanup(func() {
		for session := range server.Sessions() {
			session.Close() // A client without a token cannot.
		}
		s.Close()
		serving.Wait()
		connections.CloseIdleConnections()
	})
	return r
}

// counting counts refusals.
type counting struct {
	http.ResponseWriter
	r *rig
}

func (w *counting) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *counting) Flush()                      { w.ResponseWriter.(http.Flusher).Flush() }
func (w *counting) WriteHeader(code int) {
	switch code {
	case 401:
		w.r.refused.Add(1)
	case 403:
		w.r.lacking.Add(1)
	}
	w.ResponseWriter.WriteHeader(code)
}

// verify asks the authorization server about a token.
func (r *rig) verify(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	form := url.Values{"token": {token}}
	req := httptest.NewRequestWithContext(ctx, "POST", issuer+"/introspect", strings.NewReader(form.Encode()))
	req.RequestURI = ""
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(cctest.DefaultClientID, cctest.DefaultClientSecret)
	resp, err := r.as.RoundTripper().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var said struct {
		Active bool
		Scope  string
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		return nil, err
	}
	if !said.Active {
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{Scopes: strings.Fields(said.Scope), Extra: map[string]any{"good": true},
		Expiration: farAway()}, nil
}

// withScopes answers a call of a tool whose scopes the token lacks with 403.
func (r *rig) withScopes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.scopes == nil || q.Method != "POST" {
			next.ServeHTTP(w, q)
			return
		}
		var call struct {
			Params struct{ Name string }
		}
		body := bodyOf(q)
		json.Unmarshal(body, &call)
		has := auth.TokenInfoFromContext(q.Context()).Scopes
		wanted := r.scopes(call.Params.Name)
		if slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(has, s) }) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q, resource_metadata=%q`,
				strings.Join(wanted, " "), metadata))
			http.Error(w, "insufficient scope", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, q)
	})
}

// connect begins a session.
func (r *rig) connect(t *testing.T, h auth.OAuthHandler) (*mcp.ClientSession, error) {
	t.Helper()
	// The context that a session is begun with ends soon after, as a program's may.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, nil)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: endpoint, HTTPClient: r.http, OAuthHandler: h,
	}, nil)
}

func (r *rig) handler(client *ccclient.Client) auth.OAuthHandler {
	return mcpauth.Handler(mcpauth.Options{Client: is(client), HTTPClient: r.http})
}

func (r *rig) session(t *testing.T, client *ccclient.Client) *mcp.ClientSession {
	t.Helper()
	s, err := r.connect(t, r.handler(client))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func call(ctx context.Context, s *mcp.ClientSession, tool string) error {
	result, err := s.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: map[string]any{"text": "x"}})
	if err != nil {
		return err
	}
	if text, ok := result.Content[0].(*mcp.TextContent); !ok || text.Text != "x" {
		return fmt.Errorf("%v came back", result.Content)
	}
	return nil
}

// asked returns what the authorization server was asked for, in one form value each.
func asked(as *cctest.Server, name string) (values []string) {
	for _, r := range as.TokenRequests() {
		values = append(values, strings.Join(r.Form[name], "|"))
	}
	return values
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func equals[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
