package cctest

import (
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Server is an authorization server in memory, made by NewServer. All its methods are safe for concurrent use.
type Server struct {
	o       Options
	clients map[string]Registration // by id; not written after NewServer

	// mu guards what follows. It is never held while something waits, or while a hook runs: in a testing/synctest
	// bubble, a goroutine that waits for a mutex stops the clock.
	mu       sync.Mutex
	lifetime time.Duration
	delay    time.Duration
	down     int     // status of an outage, 0: none
	faults   []fault // one for each coming token request
	tokens   map[string]*grant
	repeats  map[string]string // for RepeatToken: what was asked for -> token
	sweepAt  int               // number of tokens at which the dead are thrown away
	requests []RecordedRequest
	stats    Stats

	seen        map[string]time.Time // jti values -> how long they are remembered
	seenSweepAt int

	tokenNonces, resourceNonces nonces

	ca       func() *CA               // made when first needed
	tokenKey func() *ecdsa.PrivateKey // likewise

	url, mtlsURL string // empty while the server does not listen

	listening listening
}

// NewServer returns a server. It starts to listen, on a loopback port, when its URL is first asked for; one that is
// only used through Handler and RoundTripper has neither sockets nor goroutines.
func NewServer(o Options) *Server {
	if len(o.Clients) == 0 {
		o.Clients = []Registration{{ID: DefaultClientID, Secret: DefaultClientSecret}}
	}
	if len(o.GrantTypes) == 0 {
		o.GrantTypes = []string{"client_credentials"}
	}
	o.Clients = slices.Clone(o.Clients)
	o.Scopes, o.GrantTypes, o.SigningAlgs = slices.Clone(o.Scopes), slices.Clone(o.GrantTypes),
		slices.Clone(o.SigningAlgs)
	s := &Server{
		o:       o,
		clients: make(map[string]Registration, len(o.Clients)),
		tokens:  make(map[string]*grant),
		repeats: make(map[string]string),
		sweepAt: 1024,
		seen:    make(map[string]time.Time),

		seenSweepAt: 1024,
		ca:          sync.OnceValue(NewCA),
		tokenKey:    sync.OnceValue(newTokenKey),
	}
	for _, c := range o.Clients {
		s.clients[c.ID] = c
	}
	s.SetLifetime(o.Lifetime)
	return s
}

// isZero answers for a server that NewServer has not made, and reports whether it did.
func (s *Server) isZero(w http.ResponseWriter) bool {
	if s.clients != nil {
		return false
	}
	http.Error(w, "cctest: a Server is made by NewServer", http.StatusInternalServerError)
	return true
}

// Format prints the server's type alone, for every verb: its state holds secrets and tokens.
func (s *Server) Format(f fmt.State, _ rune) { fmt.Fprint(f, "cctest.Server") }

// Handler returns the server's HTTP interface. The host does not matter to it, and of the path only the end:
// /introspect (RFC 7662) and /revoke (RFC 7009) ask for client authentication like the token endpoint; /jwks has the
// key of access tokens; the metadata is where RFC 8414 and OpenID Connect Discovery have it. The token endpoint is
// /token, and whatever else a POST is sent to, so that the token URL of any provider will do.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.isZero(w) {
		return
	}
	const rfc8414, openID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	for _, place := range []string{rfc8414, openID} {
		if tenant, ok := strings.CutPrefix(r.URL.Path, place); ok {
			s.serveMetadata(w, r, strings.TrimSuffix(tenant, "/"))
			return
		}
	}
	if tenant, ok := strings.CutSuffix(r.URL.Path, openID); ok {
		s.serveMetadata(w, r, tenant)
		return
	}
	switch name := path.Base(r.URL.Path); {
	case name == "introspect":
		s.serveIntrospection(w, r)
	case name == "revoke":
		s.serveRevocation(w, r)
	case name == "jwks":
		s.serveKeys(w, r)
	case name == "token" || r.Method == http.MethodPost:
		s.serveToken(w, r)
	default:
		http.NotFound(w, r)
	}
}

// origin returns where the request was sent to, as its sender wrote it.
func origin(r *http.Request) string {
	scheme := r.URL.Scheme
	switch {
	case scheme != "": // given to the handler as the client made it
	case r.TLS != nil:
		scheme = "https"
	default:
		scheme = "http"
	}
	return scheme + "://" + r.Host
}

// issuer returns the issuer identifier that the endpoint asked for belongs to.
func (s *Server) issuer(r *http.Request) string {
	if s.o.Issuer != "" {
		return s.o.Issuer
	}
	return s.mainOrigin(r) + strings.TrimSuffix(path.Dir(r.URL.Path), "/")
}

// mainOrigin returns origin, but for requests to MTLSURL, which is an alias of URL.
func (s *Server) mainOrigin(r *http.Request) string {
	main, alias := s.urls()
	if alias != "" && origin(r) == alias {
		return main
	}
	return origin(r)
}

// CA returns the server's own authority, which its sockets have their certificate from, and which tls_client_auth
// trusts by default.
func (s *Server) CA() *CA {
	if s.ca == nil {
		return new(CA) // which says of itself that it is nobody's
	}
	return s.ca()
}
