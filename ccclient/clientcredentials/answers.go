package clientcredentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"weak"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// answers stands between token requests and what they go through. It tries the other style where x/oauth2 would, and
// keeps of the answers what package ccclient does not: a token as the server wrote it, and the body of a refusal.
type answers struct {
	own     http.RoundTripper       // the library's own connections; nil: through
	through atomic.Pointer[through] // otherwise, as of the last look
	auth    *authentication         // nil: Configure chose another

	owner  weak.Pointer[state] // who the requests are made for
	retire func()              // closes the client

	granted atomic.Pointer[[]*answer] // the latest, newest first
	refused atomic.Pointer[refusal]   // the latest
}

type through struct{ http.RoundTripper }

// An answer is a token response as x/oauth2 would have read it.
type answer struct {
	access, refresh, kind string
	members               any  // map[string]any or url.Values, what Extra looks into
	misnamed              bool // neither Bearer nor DPoP
}

// maxGranted is how many answers are kept: the tokens in use, and those of requests that overtake each other.
const maxGranted = 4

// RoundTrip sends a token request.
func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.owner.Value() == nil {
		// KeepFresh refreshes for a program that has forgotten its source. Close waits for this very request, so it has
		// a goroutine of its own, which ends with it. (A cleanup of the runtime's would come sooner, but outside of the
		// synctest bubble that the client may be in, and break it.)
		if req.Body != nil {
			req.Body.Close()
		}
		go a.retire()
		return nil, ccclient.ErrClosed
	}
	if req.Method != http.MethodPost {
		return a.sender().RoundTrip(req) // metadata
	}
	again := a.otherStyle(req)
	resp, err := a.send(req)
	if err != nil {
		return nil, err
	}
	style := oauth2.AuthStyleInParams
	if req.Header.Get("Authorization") != "" {
		style = oauth2.AuthStyleInHeader
	}
	if again != nil && !resp.granted() && style == oauth2.AuthStyleInHeader {
		a.auth.turn.Store(resp.mayPass())
		if resp.refuses() {
			req, style = again, oauth2.AuthStyleInParams
			if resp, err = a.send(req); err != nil {
				return nil, err
			}
		}
	} else if again != nil {
		a.auth.turn.Store(false)
	}
	if !resp.granted() {
		a.refused.Store(newRefusal(req, resp))
		return resp.Response, nil
	}
	if again != nil {
		a.auth.styles.remember(a.auth.settings, style)
	}
	a.keep(resp)
	return resp.Response, nil
}

func (a *answers) sender() http.RoundTripper {
	if a.own != nil {
		return a.own
	}
	return a.through.Load()
}

// A response is one that was read whole.
type response struct {
	*http.Response
	body    []byte
	members tokenresponse.Members
	broken  bool // the body could not be read to its end
}

// send sends req and reads the answer. An error of the reading is left in the body, for whoever reads that.
func (a *answers) send(req *http.Request) (*response, error) {
	resp, err := a.sender().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp == nil {
		return nil, errors.New("the RoundTripper returned neither a response nor an error")
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenresponse.MaxBytes+1))
	r := &response{Response: resp, body: body}
	if err != nil {
		r.broken = true
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		return r, nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) <= tokenresponse.MaxBytes {
		r.members, _ = tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}.Members()
	}
	return r, nil
}

// failing is the rest of a body that could not be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// granted reports whether r brings a token.
func (r *response) granted() bool {
	token, _ := r.members["access_token"].(string)
	_, refused := r.members.Refusal()
	return r.StatusCode/100 == 2 && token != "" && !refused && !r.broken
}

// mayPass reports whether r is a failure that says nothing of the style: the next attempt will do for the other.
func (r *response) mayPass() bool {
	switch r.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	refusal, _ := r.members.Refusal()
	settled := tokenresponse.Registered(refusal.Code) && refusal.Code != "server_error" &&
		refusal.Code != "temporarily_unavailable" // which package ccclient does not attempt again
	return r.StatusCode >= 500 && !settled
}

// refuses reports whether r, which brings no token, may be the word of a server that wants the other style.
func (r *response) refuses() bool {
	return !r.mayPass() && r.StatusCode/100 != 3 && !r.broken
}

// otherStyle returns req with the id and the secret in the form, if it is not known yet which style succeeds; else nil.
// A proof of possession is good for one request, so that with one nothing is tried.
func (a *answers) otherStyle(req *http.Request) *http.Request {
	if a.auth == nil || req.Header.Get("DPoP") != "" {
		return nil
	}
	if _, known := a.auth.known(); known {
		return nil
	}
	form, err := formOf(req)
	if err != nil {
		return nil
	}
	a.auth.intoForm(form)
	text := form.Encode()
	again := req.Clone(req.Context())
	again.Header.Del("Authorization")
	again.ContentLength = int64(len(text))
	again.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	again.Body, _ = again.GetBody()
	return again
}

// formOf returns the form in req, which can be sent still.
func formOf(req *http.Request) (url.Values, error) {
	if req.GetBody == nil {
		return nil, errors.New("the request has no body that can be read twice")
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(text))
}

// keep keeps what x/oauth2 makes of r, and lets a token type that package ccclient does not take pass for now.
func (a *answers) keep(r *response) {
	text := func(name string) string { s, _ := r.members[name].(string); return s }
	g := &answer{access: text("access_token"), refresh: text("refresh_token"), kind: text("token_type")}
	body := bytes.TrimSpace(bytes.TrimPrefix(r.body, []byte("\uFEFF")))
	form, err := url.ParseQuery(string(body))
	isJSON := len(body) > 0 && body[0] == '{'
	g.members = form
	if isJSON || err != nil {
		var members map[string]any
		if json.Unmarshal(body, &members) != nil {
			members = r.members // with a number that no float64 holds
		}
		g.members = members
	}
	if g.misnamed = !understood(g.kind); g.misnamed {
		bearer := form.Encode
		if isJSON {
			bearer = func() string { return bearerJSON(body) }
		} else {
			form.Set("token_type", "Bearer")
			g.members, _ = url.ParseQuery(string(body))
		}
		r.Body = io.NopCloser(strings.NewReader(bearer()))
		r.ContentLength = -1
	}
	for {
		old := a.granted.Load()
		latest := []*answer{g}
		if old != nil {
			latest = append(latest, (*old)[:min(len(*old), maxGranted-1)]...)
		}
		if a.granted.CompareAndSwap(old, &latest) {
			return
		}
	}
}

// bearerJSON returns an object with "Bearer" for its token type.
func bearerJSON(object []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return string(object)
	}
	members["token_type"] = json.RawMessage(`"Bearer"`)
	changed, err := json.Marshal(members)
	if err != nil {
		return string(object)
	}
	return string(changed)
}

// understood reports whether package ccclient takes tokens of this type. See package tokenresponse.
func understood(kind string) bool {
	return slices.Contains([]string{"", "bearer", "bearertoken", "bearer token", "application access token", "dpop"},
		strings.ToLower(strings.TrimSpace(kind)))
}

// of returns the answer that brought an access token; nil if it came otherwise, or long ago.
func (a *answers) of(access string) *answer {
	if all := a.granted.Load(); all != nil {
		for _, g := range *all {
			if g.access == access {
				return g
			}
		}
	}
	return nil
}

// misnamed reports whether an access token is of a type that package ccclient would not have taken.
func (a *answers) misnamed(access string) bool {
	g := a.of(access)
	return g != nil && g.misnamed
}

// token returns tok as x/oauth2 has it. unsaid says that a lifetime the server does not say has no end.
func (g *answer) token(tok *oauth2.Token, unsaid bool) *oauth2.Token {
	t := &oauth2.Token{AccessToken: tok.AccessToken, TokenType: g.kind, RefreshToken: g.refresh, Expiry: tok.Expiry}
	if unsaid && tok.ExpiresIn == 0 {
		t.Expiry = time.Time{}
	}
	return t.WithExtra(g.members)
}
