package mcpauth

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/ccclient/go-ccclient/transport/mcpauth/internal/protectedresource"
)

// A challenge is a server's answer to a request whose token would not do.
type challenge struct {
	server   string   // the URL that the request was sent to
	sent     string   // the token that it had; empty: none
	metadata string   // resource_metadata; empty: not said
	scopes   []string // nil: not said
	stepUp   bool     // the token is good, but not for this
}

// maxLine bounds how much of a header line is read; no server has reason to come near it.
const maxLine = 16 << 10

// challengeOf reads the challenge in resp, the answer to req. It is an error if it is none that another token would
// meet.
func challengeOf(req *http.Request, resp *http.Response) (challenge, error) {
	c := challenge{server: req.URL.String()}
	if scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		c.sent = token
	}
	if last := resp.Request; last != nil && !sameOrigin(last, req) {
		return c, fmt.Errorf("the challenge is that of another server, %q, to which the request was redirected",
			protectedresource.Clean(last.URL.Host))
	}
	for _, line := range resp.Header.Values("WWW-Authenticate") {
		all, err := oauthex.ParseWWWAuthenticate([]string{line[:min(len(line), maxLine)]})
		if err != nil {
			continue // one of another scheme, say, in a form that it does not know
		}
		for _, one := range all {
			c.add(one)
		}
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return c, nil
	case http.StatusForbidden:
		// The SDK's own server names the scopes without saying that they are insufficient.
		if c.stepUp = c.stepUp || c.scopes != nil; c.stepUp {
			return c, nil
		}
	}
	return c, fmt.Errorf("it answered %d and named no scope that the token lacks: another token would not help",
		resp.StatusCode)
}

func (c *challenge) add(one oauthex.Challenge) {
	if c.metadata == "" {
		c.metadata = one.Params["resource_metadata"]
	}
	if one.Scheme != "bearer" {
		return
	}
	if one.Params["error"] == "insufficient_scope" {
		c.stepUp = true
	}
	if c.scopes == nil {
		c.scopes = valid(strings.Split(one.Params["scope"], " "))
	}
}

func sameOrigin(a, b *http.Request) bool {
	return a.URL.Scheme == b.URL.Scheme && a.URL.Host == b.URL.Host
}
