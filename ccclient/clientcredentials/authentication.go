package clientcredentials

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
)

// An authentication sends an id and a secret as x/oauth2 does. It is a [ccclient.Auth].
type authentication struct {
	settings settings
	params   url.Values // EndpointParams that are credentials
	styles   *styles
	turn     atomic.Bool // while no style is known: the form's turn, since the header met a failure that may pass
}

// credentialNames are the parameters that package ccclient takes from an Auth only.
var credentialNames = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"}

// Authenticate returns the credentials in the style that is set, known, or to be tried.
func (a *authentication) Authenticate(ctx context.Context, r ccclient.Request) (ccclient.Credentials, error) {
	c := ccclient.Credentials{Form: make(url.Values), Header: make(http.Header)}
	id, secret := a.settings.clientID, a.settings.secret()
	style := a.style()
	if secret != "" && id != "" { // The library's own know what to say when they are refused.
		var err error
		switch s := ccclient.SecretString(secret); style {
		case oauth2.AuthStyleInHeader:
			c, err = ccclient.ClientSecretBasic(s).Authenticate(ctx, r)
		case oauth2.AuthStyleInParams:
			c, err = ccclient.ClientSecretPost(s).Authenticate(ctx, r)
		}
		if err != nil {
			return c, err
		}
	} else {
		switch style {
		case oauth2.AuthStyleInHeader:
			pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
			c.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		case oauth2.AuthStyleInParams:
			a.intoForm(c.Form)
		}
	}
	for name, values := range a.params {
		if _, set := c.Form[name]; !set {
			c.Form[name] = values
		}
	}
	return c, nil
}

// Identity tells package ccclient that nothing of how the id and the secret are sent shapes a token.
func (a *authentication) Identity() string { return "golang.org/x/oauth2" }

// String names the style.
func (a *authentication) String() string {
	switch a.settings.style {
	case oauth2.AuthStyleInHeader:
		return "AuthStyleInHeader"
	case oauth2.AuthStyleInParams:
		return "AuthStyleInParams"
	}
	return "AuthStyleAutoDetect"
}

// style returns the style of the next attempt.
func (a *authentication) style() oauth2.AuthStyle {
	switch known, ok := a.known(); {
	case ok:
		return known
	case a.turn.Load():
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// known returns the style that is set or has succeeded, if there is one.
func (a *authentication) known() (oauth2.AuthStyle, bool) {
	if a.settings.style != oauth2.AuthStyleAutoDetect {
		return a.settings.style, true
	}
	return a.styles.of(a.settings)
}

// intoForm sets what AuthStyleInParams does.
func (a *authentication) intoForm(form url.Values) {
	if a.settings.clientID != "" {
		form.Set("client_id", a.settings.clientID)
	}
	if s := a.settings.secret(); s != "" {
		form.Set("client_secret", s)
	}
}

// styles are those that have succeeded, by where and with what.
type styles struct {
	mu sync.Mutex // guards m
	m  map[styleKey]oauth2.AuthStyle
}

// A styleKey says whose style it is. A secret that was replaced changes nothing about it.
type styleKey struct{ tokenURL, clientID string }

func keyOf(s settings) styleKey { return styleKey{s.tokenURL, s.clientID} }

func (s *styles) of(set settings) (oauth2.AuthStyle, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	style, ok := s.m[keyOf(set)]
	return style, ok
}

func (s *styles) remember(set settings, style oauth2.AuthStyle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[styleKey]oauth2.AuthStyle)
	}
	s.m[keyOf(set)] = style
}

// remembered returns the styles that c and the copies of it share.
func (c *Config) remembered() *styles {
	if s, ok := c.styles.Load().(*styles); ok {
		return s
	}
	c.styles.CompareAndSwap(nil, new(styles))
	return c.styles.Load().(*styles)
}
