package clientcredentials

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"weak"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
)

// settings are what a Config held when it was looked at.
type settings struct {
	clientID, tokenURL string
	secret             func() string // in a closure, since fmt prints fields
	scopes             []string
	params             url.Values
	style              oauth2.AuthStyle
}

func settingsOf(c *Config) settings {
	secret := c.ClientSecret
	params := make(url.Values, len(c.EndpointParams))
	for name, values := range c.EndpointParams {
		params[name] = slices.Clone(values)
	}
	return settings{
		clientID: c.ClientID,
		tokenURL: c.TokenURL,
		secret:   func() string { return secret },
		scopes:   slices.Clone(c.Scopes),
		params:   params,
		style:    c.AuthStyle,
	}
}

// equal reports whether c still holds s.
func (s *settings) equal(c *Config) bool {
	return s.clientID == c.ClientID && s.tokenURL == c.TokenURL && s.secret() == c.ClientSecret &&
		s.style == c.AuthStyle && slices.Equal(s.scopes, c.Scopes) &&
		maps.EqualFunc(s.params, c.EndpointParams, slices.Equal)
}

// forEver is how long a token lives that the server says nothing of, as in x/oauth2. It is the longest that package
// cache knows.
const forEver = 10 * 365 * 24 * time.Hour

// build makes a state of what the Config holds.
func (s *source) build() *state {
	set := settingsOf(s.conf)
	st := &state{settings: set, answers: &answers{}}
	auth := &authentication{settings: set, styles: s.conf.remembered(), params: make(url.Values)}
	st.answers.auth = auth
	cfg := ccclient.Config{
		TokenURL:       set.tokenURL,
		ClientID:       cmp.Or(set.clientID, noClientID),
		Auth:           auth,
		Scopes:         strings.Fields(strings.Join(set.scopes, " ")),
		EndpointParams: make(url.Values),
		HTTPClient:     s.given,
		Cache:          cache.Options{DefaultLifetime: forEver},
	}
	for name, values := range set.params {
		if slices.Contains(credentialNames, name) {
			auth.params[name] = values
		} else {
			cfg.EndpointParams[name] = slices.Clone(values)
		}
	}
	if s.conf.Configure != nil {
		s.conf.Configure(&cfg)
	}
	if cfg.Auth != ccclient.Auth(auth) {
		st.answers.auth = nil // Another method: there is nothing to try.
	}
	st.unsaid = cfg.Cache.DefaultLifetime == forEver
	st.connect(&cfg, s.given)
	st.client, st.err = ccclient.New(cfg)
	if st.err != nil {
		if strings.Contains(st.err.Error(), "set InsecureHTTP") {
			st.err = fmt.Errorf("%w: Configure: func(c *ccclient.Config) { c.InsecureHTTP = true }", st.err)
		}
		return st
	}
	st.transport = st.client.Transport(nil)
	st.spent = st.transport.Source
	st.transport.Source, st.transport.Base = s, st.answers.own
	if st.answers.own == nil {
		st.transport.Base = &base{s}
	}
	client := st.client
	st.answers.owner = weak.Make(st)
	st.answers.retire = func() { client.Close() }
	return st
}

// noClientID stands in Config.ClientID for a client without an id, as some grants have it. It is never sent.
const noClientID = "(none)"

// connect puts st.answers between the token requests and what they go through, and says what that is.
func (st *state) connect(cfg *ccclient.Config, given *http.Client) {
	switch {
	case cfg.HTTPClient != nil:
		chosen := cfg.HTTPClient
		st.httpClient = func() *http.Client { return chosen }
	case cfg.TLS != nil || cfg.WrapTransport != nil:
		none := new(http.Client)
		st.httpClient = func() *http.Client { return none }
		wrap, answers := cfg.WrapTransport, st.answers
		cfg.WrapTransport = func(own http.RoundTripper) http.RoundTripper {
			if wrap != nil {
				own = wrap(own)
			}
			if own == nil {
				return nil // ccclient.New says so.
			}
			answers.own = own
			return answers
		}
		return
	default:
		st.httpClient = func() *http.Client { return http.DefaultClient }
	}
	through := *st.httpClient()
	through.Transport = st.answers
	cfg.HTTPClient = &through
}
