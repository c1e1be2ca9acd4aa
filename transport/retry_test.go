package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

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

func TestErrorOfTheBaseDoesNotRepeatTheToken(t *testing.T) {
	const token = "canary-token"
	for name, script := range map[string][]reply{
		"first": {{err: fmt.Errorf("malformed HTTP status code %q: %w", "Bearer "+token, context.DeadlineExceeded)}},
		"second": {{status: 401}, {err: fmt.Errorf("malformed HTTP status code %q: %w", "Bearer other-"+token,
			context.DeadlineExceeded)}},
	} {
		tr := &transport.Transport{Source: bearer(token, "other-"+token), Base: answers(script...)}
		_, err := tr.RoundTrip(request(t, "GET", "https://a.example/", nil))
		if err == nil || strings.Contains(err.Error(), token) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		for err != nil {
			if err = errors.Unwrap(err); err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("%s: inside: %v", name, err)
			}
		}
	}
}

func TestErrorOfTheBaseIsOneLineOfSaneLength(t *testing.T) {
	for _, text := range []string{
		"407 \x1b[2J\u202eProxy\r\nAuthentication\u2028Required\xff", strings.Repeat("é", 10_000),
		strings.Repeat("\x00", 10_000),
	} {
		inside := fmt.Errorf("%s: %w", text, context.DeadlineExceeded)
		for name, req := range map[string]*http.Request{
			"authorized": request(t, "GET", "https://a.example/", nil),
			"outside":    redirected(t, "https://b.example/", "https://a.example/"),
		} {
			tr := &transport.Transport{Source: bearer("canary-token"), Base: answers(reply{err: inside})}
			_, err := tr.RoundTrip(req)
			if err == nil || len(err.Error()) > 1010 || !utf8.ValidString(err.Error()) ||
				strings.ContainsFunc(err.Error(), func(c rune) bool { return !unicode.IsPrint(c) }) {
				t.Errorf("%s: %.100q", name, err)
			}
			timeout, ok := err.(interface{ Timeout() bool })
			if !errors.Is(err, inside) || !ok || !timeout.Timeout() {
				t.Errorf("%s: it is not what it was: %.100q", name, err)
			}
		}
	}
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

func TestErrorOfTheRepetitionIsReturned(t *testing.T) {
	broken, first := errors.New("the network is gone"), newBody("no")
	b := answers(reply{status: 401, body: first}, reply{err: broken})
	resp, err := (&transport.Transport{Source: bearer("first", "second"), Base: b}).RoundTrip(
		request(t, "GET", "https://a.example/", nil))
	if resp != nil || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", resp, err)
	}
	first.closedOnce(t)
}

func TestErrorBesideAnswerIsAnError(t *testing.T) {
	broken, sent := errors.New("half an answer"), newBody("text")
	both := roundTripper(func(req *http.Request) (*http.Response, error) {
		req.Body.Close()
		return &http.Response{StatusCode: 401, Body: http.NoBody}, broken
	})
	resp, err := (&transport.Transport{Source: bearer("first", "second"), Base: both}).RoundTrip(
		request(t, "POST", "https://a.example/", sent))
	if resp != nil || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", resp, err)
	}
	sent.closedOnce(t)
}

func TestAnswerWithoutBodyAndHeaderIsOne(t *testing.T) {
	for _, healed := range []bool{true, false} {
		s, n := bearer("first"), 0
		if healed {
			s = bearer("first", "second")
		}
		bare := roundTripper(func(*http.Request) (*http.Response, error) {
			n++
			return &http.Response{StatusCode: 401}, nil
		})
		asked := 0
		c := &http.Client{Transport: &transport.Transport{Source: s, Base: bare, Challenged: challenged(nil, &asked)}}
		status, text := call(t, c, request(t, "GET", "https://a.example/", nil))
		equal(t, "status", status, 401)
		equal(t, "body", text, "")
		equal(t, "requests", n, map[bool]int{true: 2, false: 1}[healed])
	}
}

// A Base may keep a request and do with its header map what it likes: that is no other request's.
func TestOneRequestMayBeSentByManyAtOnce(t *testing.T) {
	var kept sync.WaitGroup
	keeping := roundTripper(func(req *http.Request) (*http.Response, error) {
		status := 200
		if req.Header.Get("Authorization") == "Bearer first" {
			status = 401
		}
		kept.Go(func() {
			for range 100 {
				req.Header.Set("X-Own", "changed")
				req.Header.Del("Authorization")
			}
		})
		return &http.Response{StatusCode: status, Body: http.NoBody}, nil
	})
	tr := &transport.Transport{Source: bearer("first", "second"), Base: keeping}
	req := request(t, "GET", "https://a.example/", nil)
	req.Header.Set("X-Own", "value")
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			resp, err := tr.RoundTrip(req)
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
	group.Wait()
	kept.Wait()
	equal(t, "header", fmt.Sprint(req.Header), "map[X-Own:[value]]")
}

func TestPanicOfHookIsTheCallers(t *testing.T) {
	for name, tr := range map[string]*transport.Transport{
		"Rejected": {Rejected: func(*http.Response) bool { panic("mine") }},
		"Challenged": {Challenged: func(context.Context, *oauth2.Token, *http.Response) transport.Source {
			panic("mine")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tr.Source, tr.Base = bearer("first", "second"), answers(reply{status: 401}, reply{status: 200})
			sent := newBody("text")
			func() {
				defer func() { equal(t, "panic", recover(), any("mine")) }()
				tr.RoundTrip(request(t, "POST", "https://a.example/", sent))
			}()
			sent.closedOnce(t)
			tr.Rejected, tr.Challenged = nil, nil
			resp, _ := roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
			equal(t, "status", resp.StatusCode, 200)
		})
	}
}
