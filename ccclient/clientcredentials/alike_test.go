package clientcredentials_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// A program runs against one of the packages and tells what it saw. set changes a field of the Config that it is given.
type program func(p *run)

type run struct {
	*server
	conf config
	set  func(change func(*fields))
	ctx  context.Context
	seen []string
}

func (r *run) see(format string, args ...any) { r.seen = append(r.seen, fmt.Sprintf(format, args...)) }

// token tells all that a program can see of a token.
func (r *run) token(tok *oauth2.Token, err error) {
	if err != nil {
		r.see("error")
		return
	}
	left := "for ever"
	if !tok.Expiry.IsZero() {
		left = time.Until(tok.Expiry).Round(time.Second).String()
	}
	r.see("%q %q %q, refresh %q, %s, valid %t",
		tok.AccessToken, tok.TokenType, tok.Type(), tok.RefreshToken, left, tok.Valid())
	for _, name := range []string{"scope", "n", "f", "access_token", "list", "missing"} {
		r.see("%s: %#v", name, tok.Extra(name))
	}
}

// refusal tells what programs read of an error.
func (r *run) refusal(err error) {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		r.see("%t, no RetrieveError", err != nil)
		return
	}
	r.see("%d %q %q %q %q %q", e.Response.StatusCode, e.Body, e.ErrorCode, e.ErrorDescription, e.ErrorURI,
		e.Response.Header.Get("X-Request-Id"))
}

const good = `{"access_token":"t","token_type":"Bearer","expires_in":3600}`

func form(contentType, body string) *server {
	return &server{answer: func(*http.Request, url.Values) (int, http.Header, string) {
		return http.StatusOK, http.Header{"Content-Type": {contentType}}, body
	}}
}

func refusing(status int, body string) *server {
	return &server{answer: func(*http.Request, url.Values) (int, http.Header, string) {
		return status, http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"42"}}, body
	}}
}

// picky takes one style only, and refuses the other with a status.
func picky(style oauth2.AuthStyle, status int) *server {
	return &server{answer: func(req *http.Request, form url.Values) (int, http.Header, string) {
		_, _, header := req.BasicAuth()
		if req.URL.Host == "as.example" && header != (style == oauth2.AuthStyleInHeader) {
			return status, nil, `{"error":"invalid_client"}`
		}
		return http.StatusOK, nil, good
	}}
}

func once(r *run) { r.token(r.conf.TokenSource(r.ctx).Token()) }

func directly(r *run) { r.token(r.conf.Token(r.ctx)) }

func call(r *run, c *http.Client) {
	resp, err := c.Get(apiURL)
	if err != nil {
		r.see("error")
		return
	}
	resp.Body.Close()
	r.see("%d", resp.StatusCode)
}

// Each row is run with x/oauth2's package and with ours. All that they send, and all that a program can see, is the
// same.
func TestBehavesAsOAuth2Does(t *testing.T) {
	style := func(s oauth2.AuthStyle) func(*fields) { return func(f *fields) { f.AuthStyle = s } }
	auto, inParams := style(oauth2.AuthStyleAutoDetect), style(oauth2.AuthStyleInParams)
	params := func(v url.Values) func(*fields) { return func(f *fields) { f.EndpointParams = v } }
	for _, c := range []struct {
		name    string
		server  func() *server
		fields  func(*fields)
		program program
	}{
		{"JSON", func() *server {
			return granting(`{"access_token":"t","token_type":"bearer","expires_in":3600,"scope":"a b","n":7,"f":1.5,"list":["x"]}`)
		}, nil, once},
		{"form", func() *server {
			return form("application/x-www-form-urlencoded", "access_token=t&token_type=bearer&expires_in=60&scope=a+b&n=7&f=1.5")
		}, nil, once},
		{"form in text/plain", func() *server {
			return form("text/plain; charset=utf-8", "access_token=t&token_type=bearer&expires_in=60&n=7")
		}, nil, once},
		{"no token_type", func() *server { return granting(`{"access_token":"t","expires_in":60}`) }, nil, once},
		{"token_type of its own", func() *server { return granting(`{"access_token":"t","token_type":"custom","n":7}`) }, nil, once},
		{"token_type of its own, form", func() *server {
			return form("application/x-www-form-urlencoded", "access_token=t&token_type=mac&n=7")
		}, nil, once},
		{"refresh token", func() *server { return granting(`{"access_token":"t","refresh_token":"r","token_type":"BEARER"}`) }, nil, once},
		{"expires_in as string", func() *server { return granting(`{"access_token":"t","expires_in":"3600"}`) }, nil, once},
		{"expires_in 0", func() *server { return granting(`{"access_token":"t","expires_in":0}`) }, nil, once},
		{"expires_in null", func() *server { return granting(`{"access_token":"t","expires_in":null}`) }, nil, once},
		{"expires_in 0 lives for ever", func() *server { return granting(`{"access_token":"t","expires_in":0}`) }, nil,
			func(r *run) {
				ts := r.conf.TokenSource(r.ctx)
				for range 24 {
					r.token(ts.Token())
					time.Sleep(24 * time.Hour)
				}
			}},
		{"nothing but the error", func() *server { return granting(`{"error":"invalid_scope"}`) }, nil, once},
		{"no access_token", func() *server { return granting(`{"token_type":"bearer"}`) }, nil, once},
		{"no JSON", func() *server { return granting(`<html>`) }, nil, once},
		{"header", func() *server { return granting(good) }, nil, once},
		{"params", func() *server { return granting(good) }, inParams, once},
		{"params without a secret", func() *server { return granting(good) },
			func(f *fields) { f.AuthStyle, f.ClientSecret = oauth2.AuthStyleInParams, "" }, once},
		{"header without a secret", func() *server { return granting(good) }, func(f *fields) { f.ClientSecret = "" }, once},
		{"params without anything", func() *server { return granting(good) },
			func(f *fields) { f.AuthStyle, f.ClientSecret, f.ClientID = oauth2.AuthStyleInParams, "", "" }, once},
		{"assertion among the params", func() *server { return granting(good) }, func(f *fields) {
			f.AuthStyle, f.ClientSecret = oauth2.AuthStyleInParams, ""
			f.EndpointParams = url.Values{"client_assertion": {"e30.e30.e30"}, "client_assertion_type": {"urn:x"}}
		}, once},
		{"auto, header taken", func() *server { return picky(oauth2.AuthStyleInHeader, 401) }, auto, directly},
		{"auto, params taken", func() *server { return picky(oauth2.AuthStyleInParams, 401) }, auto, directly},
		{"auto, params taken, 400", func() *server { return picky(oauth2.AuthStyleInParams, 400) }, auto, directly},
		{"auto, params taken, 200", func() *server { return picky(oauth2.AuthStyleInParams, 200) }, auto, directly},
		{"auto, nothing taken", func() *server { return picky(9, 401) }, auto, directly},
		{"auto is remembered", func() *server { return picky(oauth2.AuthStyleInParams, 401) }, auto, func(r *run) {
			for range 3 {
				r.token(r.conf.Token(r.ctx))
				r.token(r.conf.TokenSource(r.ctx).Token())
			}
			call(r, r.conf.Client(r.ctx))
		}},
		{"auto, then it fails", func() *server { return picky(oauth2.AuthStyleInHeader, 401) }, auto, func(r *run) {
			r.token(r.conf.Token(r.ctx))
			r.server.answer = refusing(401, `{"error":"invalid_client"}`).answer
			r.token(r.conf.Token(r.ctx))
		}},
		{"auto, another id", func() *server { return picky(oauth2.AuthStyleInParams, 401) }, auto, func(r *run) {
			r.token(r.conf.Token(r.ctx))
			r.set(func(f *fields) { f.ClientID = "other" })
			r.token(r.conf.Token(r.ctx))
		}},
		{"scopes", func() *server { return granting(good) }, func(f *fields) { f.Scopes = []string{"b", "a", "c d"} }, once},
		{"params that override grant_type", func() *server { return granting(good) },
			params(url.Values{"grant_type": {"password"}, "username": {"u"}, "audience": {"a"}, "resource": {"https://r.example"}}), once},
		{"scope among the params", func() *server { return granting(good) }, params(url.Values{"scope": {"a b"}}), once},
		{"scope twice", func() *server { return granting(good) }, func(f *fields) {
			f.Scopes, f.EndpointParams = []string{"a"}, url.Values{"scope": {"b"}}
		}, once},
		{"Token keeps nothing", func() *server { return granting(good) }, nil, func(r *run) {
			for range 3 {
				r.token(r.conf.Token(r.ctx))
			}
		}},
		{"TokenSource keeps its token", func() *server { return granting(good) }, nil, func(r *run) {
			ts := r.conf.TokenSource(r.ctx)
			for range 3 {
				r.token(ts.Token())
			}
			r.token(r.conf.TokenSource(r.ctx).Token())
		}},
		{"the very token is kept", func() *server { return granting(good) }, nil, func(r *run) {
			ts := r.conf.TokenSource(r.ctx)
			a, _ := ts.Token()
			b, _ := ts.Token()
			r.see("%t", a == b)
		}},
		{"Client", func() *server { return granting(good) }, nil, func(r *run) {
			c := r.conf.Client(r.ctx)
			call(r, c)
			call(r, c)
		}},
		{"Client of a server that refuses", func() *server { return refusing(401, `{"error":"invalid_client"}`) }, nil,
			func(r *run) {
				_, err := r.conf.Client(r.ctx).Get(apiURL)
				_, isURL := errors.AsType[*url.Error](err)
				r.see("%t", isURL)
				r.refusal(err)
			}},
		{"Client has what its context's client has", func() *server { return granting(good) }, nil, func(r *run) {
			follow := func(*http.Request, []*http.Request) error { return nil }
			h := &http.Client{Transport: r.server, Timeout: time.Minute, CheckRedirect: follow}
			c := r.conf.Client(context.WithValue(r.ctx, oauth2.HTTPClient, h))
			r.see("%v %t %v", c.Timeout, c.CheckRedirect != nil, c.Jar)
			call(r, c)
		}},
		{"mock of http.DefaultTransport", func() *server { return granting(good) }, nil, func(r *run) {
			c, ts := r.conf.Client(context.Background()), r.conf.TokenSource(context.Background())
			defer func(old http.RoundTripper) { http.DefaultTransport = old }(http.DefaultTransport)
			http.DefaultTransport = r.server
			call(r, c)
			r.token(ts.Token())
			r.token(r.conf.Token(context.Background()))
		}},
		{"mock of http.DefaultClient", func() *server { return granting(good) }, nil, func(r *run) {
			defer func(old *http.Client) { http.DefaultClient = old }(http.DefaultClient)
			http.DefaultClient = &http.Client{Transport: r.server}
			call(r, r.conf.Client(context.Background()))
			r.token(r.conf.Token(context.Background()))
		}},
		{"RetrieveError", func() *server {
			return refusing(400, `{"error":"invalid_scope","error_description":"no such scope","error_uri":"https://as.example/e"}`)
		}, nil, func(r *run) {
			_, err := r.conf.Token(r.ctx)
			r.refusal(err)
			_, err = r.conf.TokenSource(r.ctx).Token()
			r.refusal(err)
		}},
		{"RetrieveError without a code", func() *server { return refusing(403, `who are you`) }, nil, func(r *run) {
			_, err := r.conf.Token(r.ctx)
			r.refusal(err)
		}},
		{"RetrieveError with 200", func() *server { return refusing(200, `{"error":"invalid_scope"}`) }, nil, func(r *run) {
			_, err := r.conf.Token(r.ctx)
			r.refusal(err)
		}},
		{"context that has ended", func() *server { return granting(good) }, nil, func(r *run) {
			ctx, cancel := context.WithCancel(r.ctx)
			ts := r.conf.TokenSource(ctx)
			r.token(ts.Token())
			cancel()
			r.token(ts.Token())
			_, err := r.conf.TokenSource(ctx).Token()
			r.see("%t", errors.Is(err, context.Canceled))
			r.requests()
		}},
		{"secret changed before it is needed", func() *server { return granting(good) }, nil, func(r *run) {
			ts, c := r.conf.TokenSource(r.ctx), r.conf.Client(r.ctx)
			r.set(func(f *fields) { f.ClientSecret = "new" })
			r.token(ts.Token())
			call(r, c)
			r.token(r.conf.Token(r.ctx))
		}},
		{"secret changed after it was refused", func() *server {
			return &server{answer: func(req *http.Request, _ url.Values) (int, http.Header, string) {
				if _, password, _ := req.BasicAuth(); password != "new" {
					return 401, nil, `{"error":"invalid_client"}`
				}
				return 200, nil, good
			}}
		}, nil, func(r *run) {
			ts := r.conf.TokenSource(r.ctx)
			r.token(ts.Token())
			r.set(func(f *fields) { f.ClientSecret = "new" })
			r.token(ts.Token())
		}},
		{"all changed while a token lives", func() *server { return granting(good) }, nil, func(r *run) {
			ts := r.conf.TokenSource(r.ctx)
			r.token(ts.Token())
			r.set(func(f *fields) {
				f.ClientID, f.ClientSecret = "other", "new"
				f.Scopes, f.AuthStyle = []string{"s"}, oauth2.AuthStyleInParams
				f.TokenURL, f.EndpointParams = "https://as.example/other", url.Values{"audience": {"a"}}
			})
			time.Sleep(59 * time.Minute)
			r.token(ts.Token())
			r.token(r.conf.Token(r.ctx))
			time.Sleep(time.Minute)
			r.token(ts.Token())
			time.Sleep(time.Minute)
			r.token(ts.Token())
		}},
		{"params changed", func() *server { return granting(good) }, params(url.Values{"a": {"b"}}), func(r *run) {
			ts := r.conf.TokenSource(r.ctx)
			r.set(func(f *fields) { f.EndpointParams["a"][0] = "c" })
			r.token(ts.Token())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen, sent [2][]string
			for i, ours := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					f := usual()
					if c.fields != nil {
						c.fields(&f)
					}
					f.EndpointParams = clone(f.EndpointParams)
					r := &run{server: c.server()}
					r.ctx = r.with(t.Context())
					o, th := f.ours(), f.theirs()
					r.conf = th
					r.set = func(change func(*fields)) {
						change(&f)
						th.ClientID, th.ClientSecret, th.TokenURL = f.ClientID, f.ClientSecret, f.TokenURL
						th.Scopes, th.EndpointParams, th.AuthStyle = f.Scopes, f.EndpointParams, f.AuthStyle
						o.ClientID, o.ClientSecret, o.TokenURL = f.ClientID, f.ClientSecret, f.TokenURL
						o.Scopes, o.EndpointParams, o.AuthStyle = f.Scopes, f.EndpointParams, f.AuthStyle
					}
					if ours {
						r.conf = o
					}
					c.program(r)
					seen[i] = r.seen
					sent[i] = r.requests()
				})
			}
			if !slices.Equal(seen[0], seen[1]) {
				t.Errorf("x/oauth2 has\n%s\nand this package\n%s",
					strings.Join(seen[0], "\n"), strings.Join(seen[1], "\n"))
			}
			if !slices.Equal(sent[0], sent[1]) {
				t.Errorf("x/oauth2 sends\n%s\nand this package\n%s",
					strings.Join(sent[0], "\n"), strings.Join(sent[1], "\n"))
			}
		})
	}
}

func clone(v url.Values) url.Values {
	c := make(url.Values)
	for name, values := range v {
		c[name] = slices.Clone(values)
	}
	return c
}
