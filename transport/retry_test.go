package transport_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

func TestRejectedRequestIsSentOnceMoreWithAnotherToken(t *testing.T) {
	b, s := answers(reply{status: 401}, reply{status: 200}), bearer("first", "second", "third")
	resp, text := roundTrip(t, &transport.Transport{Source: s, Base: b}, request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "body", text, "OK")
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
	equal(t, "invalidated", strings.Join(s.invalidated, ", "), "first")
}

func TestSecondAnswerIsReturnedWhateverItIs(t *testing.T) {
	b, s := answers(reply{status: 401}), bearer("first", "second", "third")
	resp, text := roundTrip(t, &transport.Transport{Source: s, Base: b}, request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "body", text, "Unauthorized")
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
}

func TestRejectionThatCannotBeHealedIsReturnedUntouched(t *testing.T) {
	same := &oauth2.Token{AccessToken: "first"}
	for name, s := range map[string]transport.Source{
		"no other token": bearer("first"),
		"the same token": sourceFunc(func(context.Context) (*oauth2.Token, error) { return same, nil }),
		"its equal": sourceFunc(func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: "first"}, nil
		}),
		"a wrong type": &source{tokens: []*oauth2.Token{same, {AccessToken: "second", TokenType: "DPoP"}}},
	} {
		t.Run(name, func(t *testing.T) {
			answer := newBody("who are you")
			b := answers(reply{status: 401, body: answer, header: challenges(`Bearer error="invalid_token"`)})
			resp, text := roundTrip(t, &transport.Transport{Source: s, Base: b},
				request(t, "GET", "https://a.example/", nil))
			equal(t, "status", resp.StatusCode, 401)
			equal(t, "body", text, "who are you")
			equal(t, "challenge", resp.Header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`)
			equal(t, "requests", len(b.seen), 1)
			answer.closedOnce(t)
		})
	}
}

func TestSourceThatIsNoInvalidatorHealsWithAnotherToken(t *testing.T) {
	n := 0
	s := sourceFunc(func(context.Context) (*oauth2.Token, error) {
		n++
		return &oauth2.Token{AccessToken: strings.Repeat("t", n)}, nil
	})
	b := answers(reply{status: 401}, reply{status: 200})
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b}, request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "Authorization", b.authorizations(), "Bearer t, Bearer tt")
}

// slow is a source whose second token takes a minute.
type slow struct{ source }

func (s *slow) Token(ctx context.Context) (*oauth2.Token, error) {
	if len(s.invalidated) > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Minute):
		}
	}
	return s.source.Token(ctx)
}

func TestContextThatEndsBeforeTheNewTokenGetsTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b, s := answers(reply{status: 401}), &slow{source{tokens: bearer("first", "second").tokens}}
		resp, text := roundTrip(t, &transport.Transport{Source: s, Base: b},
			request(t, "GET", "https://a.example/", nil).WithContext(ctx))
		equal(t, "status", resp.StatusCode, 401)
		equal(t, "body", text, "Unauthorized")
		equal(t, "requests", len(b.seen), 1)
	})
}

func TestNewTokenThatComesTooLateIsNotSpent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tokens := bearer("first", "second")
	s := &hooked{source: tokens, onInvalidate: cancel}
	b := answers(reply{status: 401})
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b},
		request(t, "GET", "https://a.example/", nil).WithContext(ctx))
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "requests", len(b.seen), 1)
}

// hooked calls onInvalidate at each invalidation.
type hooked struct {
	*source
	onInvalidate func()
}

func (h *hooked) Invalidate(tok *oauth2.Token) {
	h.source.Invalidate(tok)
	h.onInvalidate()
}

func TestFirstAnswerIsDrainedWithinBoundsAndClosed(t *testing.T) {
	for name, tc := range map[string]struct{ size, readAtMost int }{
		"short": {1000, 1000},
		"long":  {10 << 20, 64<<10 + 1},
	} {
		rest := bytes.NewReader(make([]byte, tc.size))
		answer := &body{Reader: struct{ io.Reader }{rest}}
		b := answers(reply{status: 401, body: answer}, reply{status: 200})
		roundTrip(t, &transport.Transport{Source: bearer("first", "second"), Base: b},
			request(t, "GET", "https://a.example/", nil))
		equal(t, name, tc.size-rest.Len(), tc.readAtMost)
		answer.closedOnce(t)
	}
}

func TestEndlessAnswerDoesNotHoldUpTheRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endless, _ := io.Pipe()
		b := answers(reply{status: 401, body: endless}, reply{status: 200})
		start := time.Now()
		resp, _ := roundTrip(t, &transport.Transport{Source: bearer("first", "second"), Base: b},
			request(t, "GET", "https://a.example/", nil))
		equal(t, "status", resp.StatusCode, 200)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestErrorOfTheBaseIsReturnedAsItIs(t *testing.T) {
	for name, script := range map[string][]reply{
		"first":  {{err: io.ErrUnexpectedEOF}},
		"second": {{status: 401}, {err: io.ErrUnexpectedEOF}},
	} {
		sent := newBody("x")
		tr := &transport.Transport{Source: bearer("first", "second"), Base: answers(script...), ReplayLimit: 10}
		if _, err := tr.RoundTrip(request(t, "POST", "https://a.example/", sent)); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", name, err)
		}
		sent.closedOnce(t)
	}
}
