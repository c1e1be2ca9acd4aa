package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

func TestTheCallersRequestIsNeverModified(t *testing.T) {
	b := answers(reply{status: 401}, reply{status: 200})
	s := bearer("first", "second")
	req := request(t, "POST", "https://a.example/path?q", strings.NewReader("text"))
	req.Header.Set("X-Own", "value")
	before, header := *req, req.Header.Clone()
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b}, req)
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
	if !reflect.DeepEqual(req.Header, header) {
		t.Errorf("header: %v", req.Header)
	}
	if req.Body != before.Body || req.URL != before.URL || req.Response != nil || req.ContentLength != before.ContentLength {
		t.Error("a field was changed")
	}
	if resp.Request != req {
		t.Error("resp.Request is not the caller's request")
	}
	for _, seen := range b.seen {
		equal(t, "the caller's header", seen.header.Get("X-Own"), "value")
		equal(t, "body", seen.body, "text")
	}
}

func TestNoHeaderSliceIsSharedBetweenRequests(t *testing.T) {
	b := answers()
	tr := &transport.Transport{Source: bearer("token"), Base: b}
	for range 2 {
		roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	}
	b.seen[0].request.Header["Authorization"][0] = "spoiled"
	b.seen[0].request.Header.Add("Authorization", "more")
	if got := b.seen[1].request.Header["Authorization"]; !slices.Equal(got, []string{"Bearer token"}) {
		t.Errorf("Authorization = %v", got)
	}
	roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "the next request", b.seen[2].header.Get("Authorization"), "Bearer token")
}

func TestARequestWithoutAHeaderMapIsSent(t *testing.T) {
	b := answers()
	req := request(t, "GET", "https://a.example/", nil)
	req.Header = nil
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
	equal(t, "Authorization", b.authorizations(), "Bearer token")
	if req.Header != nil {
		t.Error("the caller's request got a header")
	}
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	for name, s := range map[string]transport.Source{
		"an error": bearer(),
		"nil":      sourceFunc(func(context.Context) (*oauth2.Token, error) { return nil, nil }),
		"empty":    bearer(""),
	} {
		b, sent := answers(), newBody("x")
		_, err := (&transport.Transport{Source: s, Base: b}).RoundTrip(request(t, "POST", "https://a.example/", sent))
		if err == nil || name == "an error" && !errors.Is(err, errNoToken) {
			t.Errorf("%s: %v", name, err)
		}
		equal(t, "requests", len(b.seen), 0)
		sent.closedOnce(t)
	}
}

func TestAnEndedContextIsRecognisableInTheError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := sourceFunc(func(ctx context.Context) (*oauth2.Token, error) { return nil, ctx.Err() })
	_, err := (&transport.Transport{Source: s, Base: answers()}).RoundTrip(request(t, "GET", "https://a.example/", nil).WithContext(ctx))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestATimeoutIsOneToThoseWhoAskTheClientsError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), true},
		{context.Canceled, false},
		{errNoToken, false},
	} {
		client := &http.Client{Transport: &transport.Transport{Source: sourceFunc(func(context.Context) (*oauth2.Token, error) { return nil, c.err })}}
		_, err := client.Get("https://api.example.com/")
		// url.Error does not unwrap what it asks.
		if e, ok := errors.AsType[net.Error](err); !ok || e.Timeout() != c.want {
			t.Errorf("%v: a timeout is %v, want %v", err, !c.want, c.want)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v is not %v", err, c.err)
		}
	}
}

func TestATokenOfATypeThatIsNotUnderstoodIsNotSent(t *testing.T) {
	for kind, want := range map[string]string{"": "Bearer token", "bearer": "Bearer token", "BEARER": "Bearer token", "MAC": "", "N_A": "", "DPoP": ""} {
		b := answers()
		s := &source{tokens: []*oauth2.Token{{AccessToken: "token", TokenType: kind}}}
		_, err := (&transport.Transport{Source: s, Base: b}).RoundTrip(request(t, "GET", "https://a.example/", nil))
		equal(t, kind, b.authorizations(), want)
		if errors.Is(err, transport.ErrTokenType) != (want == "") {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestATokenThatDoesNotFitIntoAHeaderIsAnErrorThatDoesNotShowIt(t *testing.T) {
	for _, bad := range []string{"secret\r\nX: y", "secret token", "secret\x00", "secret\x7f", "sécret"} {
		b := answers()
		_, err := (&transport.Transport{Source: bearer(bad), Base: b}).RoundTrip(request(t, "GET", "https://a.example/", nil))
		if err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: %v", bad, err)
		}
		equal(t, "requests", len(b.seen), 0)
	}
}

func TestTheAuthorizationValueIsBuiltOncePerToken(t *testing.T) {
	b := answers()
	s := bearer("first", "second")
	tr := &transport.Transport{Source: s, Base: b}
	for range 2 {
		roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	}
	s.Invalidate(s.tokens[0])
	roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer first, Bearer second")
}

func TestABaseThatAnswersNothingIsAnError(t *testing.T) {
	silent := roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })
	if _, err := (&transport.Transport{Source: bearer("token"), Base: silent}).RoundTrip(request(t, "GET", "https://a.example/", nil)); err == nil {
		t.Error("no error")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

type idler struct {
	http.RoundTripper
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

func TestIdleConnectionsOfTheBaseAreClosed(t *testing.T) {
	i := new(idler)
	(&http.Client{Transport: &transport.Transport{Base: i}}).CloseIdleConnections()
	equal(t, "closed", i.closed, 1)
	(&transport.Transport{Base: answers()}).CloseIdleConnections() // It has none to close.
}

func TestNothingPrintsATokenOrAKey(t *testing.T) {
	const canary = "canary-token"
	key := p256(t)
	dpop, err := transport.NewDPoP(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range []*transport.Transport{
		{Source: bearer(canary), Base: answers(reply{status: 401})},
		{Source: bound(canary), Base: answers(reply{status: 401}), DPoP: dpop},
	} {
		req := request(t, "GET", "https://a.example/", nil)
		resp, _ := roundTrip(t, tr, req)
		private, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			printed := fmt.Sprintf(strings.Repeat(verb+" ", 4), tr, dpop, resp, resp.Request)
			for _, secret := range []string{canary, fmt.Sprint(private)[1:20], fmt.Sprintf("%x", private)} {
				if strings.Contains(printed, secret) {
					t.Errorf("%s prints %s", verb, secret)
				}
			}
		}
	}
}
