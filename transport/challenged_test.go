package transport_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

// challenged is a Challenged that returns s, and counts how often it is asked.
func challenged(s transport.Source, asked *int) func(context.Context, *oauth2.Token, *http.Response) transport.Source {
	return func(context.Context, *oauth2.Token, *http.Response) transport.Source {
		*asked++
		return s
	}
}

func TestChallengeIsMetByTheTokenOfItsSource(t *testing.T) {
	for _, status := range []int{401, 403} {
		b, s, wider := answers(reply{status: status}, reply{status: 200}), bearer("first", "second"), bearer("wider")
		asked := 0
		tr := &transport.Transport{Source: s, Base: b, Challenged: challenged(wider, &asked)}
		req := request(t, "POST", "https://a.example/", strings.NewReader("body"))
		resp, _ := roundTrip(t, tr, req)
		equal(t, "status", resp.StatusCode, 200)
		equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer wider")
		equal(t, "body of the second", b.seen[1].body, "body")
		equal(t, "invalidated", strings.Join(s.invalidated, ", "), "")
		equal(t, "asked", asked, 1)
	}
}

func TestChallengedIsToldWhatWasRejected(t *testing.T) {
	type key struct{}
	req := request(t, "GET", "https://a.example/", nil)
	req = req.WithContext(context.WithValue(req.Context(), key{}, "of the caller"))
	b := answers(reply{status: 403, header: challenges(`Bearer error="insufficient_scope"`)})
	tr := &transport.Transport{Source: bearer("first"), Base: b,
		Challenged: func(ctx context.Context, rejected *oauth2.Token, resp *http.Response) transport.Source {
			equal(t, "context", ctx.Value(key{}), any("of the caller"))
			equal(t, "token", rejected.AccessToken, "first")
			equal(t, "request", resp.Request, req)
			equal(t, "challenge", resp.Header.Get("WWW-Authenticate"), `Bearer error="insufficient_scope"`)
			return nil
		}}
	resp, text := roundTrip(t, tr, req)
	equal(t, "status", resp.StatusCode, 403)
	equal(t, "body", text, "Forbidden")
	equal(t, "requests", len(b.seen), 1)
}

func TestChallengedIsAskedAboutRefusalsOfTokensOnly(t *testing.T) {
	asked := 0
	wider := bearer("wider")
	for _, status := range []int{200, 400, 402, 404, 429, 500} {
		b := answers(reply{status: status})
		roundTrip(t, &transport.Transport{Source: bearer("first"), Base: b, Challenged: challenged(wider, &asked)},
			request(t, "GET", "https://a.example/", nil))
	}
	own := request(t, "GET", "https://a.example/", nil)
	own.Header.Set("Authorization", "Basic x")
	redirected := request(t, "GET", "https://thief.example/", nil)
	redirected.Response = &http.Response{Request: request(t, "GET", "https://a.example/", nil)}
	for _, req := range []*http.Request{own, redirected} {
		b := answers(reply{status: 403})
		roundTrip(t, &transport.Transport{Source: bearer("first"), Base: b, Challenged: challenged(wider, &asked)}, req)
		equal(t, "requests", len(b.seen), 1)
	}
	equal(t, "asked", asked, 0)
}

func TestRejectedAndChallengedShareOneRepetition(t *testing.T) {
	asked := 0
	b, s, wider := answers(reply{status: 401}), bearer("first", "second"), bearer("wider", "widest")
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, Challenged: challenged(wider, &asked)},
		request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer wider")
	equal(t, "asked", asked, 1)

	b, s = answers(reply{status: 401}, reply{status: 403}), bearer("first", "second")
	resp, _ = roundTrip(t, &transport.Transport{Source: s, Base: b,
		Challenged: func(_ context.Context, _ *oauth2.Token, resp *http.Response) transport.Source {
			if resp.StatusCode == 403 {
				return wider
			}
			return nil
		}}, request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 403)
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
}

// typedNil is a Source whose zero pointer has no token.
type typedNil struct{ source }

func (n *typedNil) Token(ctx context.Context) (*oauth2.Token, error) {
	if n == nil {
		return nil, errNoToken
	}
	return n.source.Token(ctx)
}

func TestChallengeThatIsNotMetIsLeftToRejected(t *testing.T) {
	for name, source := range map[string]transport.Source{
		"nil":              nil,
		"typed nil":        (*typedNil)(nil),
		"no token":         bearer(),
		"the same token":   bearer("first"),
		"an empty token":   bearer(""),
		"nil for a token":  sourceFunc(func(context.Context) (*oauth2.Token, error) { return nil, nil }),
		"a bound token":    bound("bound"),
		"an illegal token": bearer("il\nlegal"),
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			b, s := answers(reply{status: 401}, reply{status: 200}), bearer("first", "second")
			resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, Challenged: challenged(source, &asked)},
				request(t, "GET", "https://a.example/", nil))
			equal(t, "status", resp.StatusCode, 200)
			equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
			equal(t, "invalidated", strings.Join(s.invalidated, ", "), "first")

			answer := newBody("no")
			b, s = answers(reply{status: 403, body: answer}), bearer("first", "second")
			resp, text := roundTrip(t, &transport.Transport{Source: s, Base: b, Challenged: challenged(source, &asked)},
				request(t, "GET", "https://a.example/", nil))
			equal(t, "status", resp.StatusCode, 403)
			equal(t, "body", text, "no")
			equal(t, "Authorization", b.authorizations(), "Bearer first")
			equal(t, "invalidated", strings.Join(s.invalidated, ", "), "")
			answer.closedOnce(t)
		})
	}
}

func TestRequestThatCannotBeRepeatedAsksForTheWiderToken(t *testing.T) {
	asked := 0
	b, s, wider := answers(reply{status: 401}), bearer("first", "second"), bearer("wider")
	sent := newBody("body")
	req := request(t, "POST", "https://a.example/", io.Reader(sent))
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, Challenged: challenged(wider, &asked)}, req)
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "requests", len(b.seen), 1)
	equal(t, "tokens asked of the wider source", wider.asked, 1)
	equal(t, "invalidated", strings.Join(s.invalidated, ", "), "")
	sent.closedOnce(t)
}

func TestChallengeIsMetWithProofOfItsOwn(t *testing.T) {
	asked := 0
	b := answers(reply{status: 401, header: http.Header{
		"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"n1"},
	}}, reply{status: 403}, reply{status: 200})
	tr := &transport.Transport{Source: bound("first"), Base: b, DPoP: newDPoP(t, p256(t)),
		Challenged: challenged(bound("wider"), &asked)}
	resp, _ := roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "Authorization", b.authorizations(), "DPoP first, DPoP first, DPoP wider")
	equal(t, "asked", asked, 1)
	proofs := map[string]bool{}
	for _, s := range b.seen {
		proofs[s.header.Get("DPoP")] = true
	}
	equal(t, "proofs", len(proofs), 3)
}

func TestChallengeThatIsMetIsToldAsHealed(t *testing.T) {
	for _, code := range []string{"insufficient_scope", "insufficient_claims"} {
		asked := 0
		b := answers(reply{status: 401, header: challenges(`Bearer error="` + code + `"`)}, reply{status: 200})
		tr := &transport.Transport{Source: bearer("first"), Base: b, Challenged: challenged(bearer("wider"), &asked),
			OnRejection: func(_ context.Context, r transport.Rejection) {
				equal(t, "rejection", r, transport.Rejection{
					Host: "a.example", Port: 443, StatusCode: 401, Error: code, Healed: true,
				})
			}}
		resp, _ := roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
		equal(t, "status", resp.StatusCode, 200)
	}
}
