package transport_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

// renewing returns the next token after each rejection.
type renewing struct{ n int }

func (r *renewing) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: strings.Repeat("t", r.n+1)}, nil
}
func (r *renewing) Invalidate(*oauth2.Token) { r.n++ }

// stubborn returns the same token again.
type stubborn struct{ renewing }

func (*stubborn) Invalidate(*oauth2.Token) {}

func TestRejectionsAreToldOnceItIsKnownWhatBecameOfThem(t *testing.T) {
	rejection := transport.Rejection{Host: "api.example.com", Port: 443, StatusCode: 401}
	healed, scope, token := rejection, rejection, rejection
	healed.Healed = true
	scope.StatusCode, scope.Error = 403, "insufficient_scope"
	token.Error = "invalid_token"
	for name, test := range map[string]struct {
		source  transport.Source
		answers []string // the status, and the challenge
		want    []transport.Rejection
	}{
		"none":                       {&renewing{}, []string{"200"}, nil},
		"an error of another kind":   {&renewing{}, []string{"500"}, nil},
		"a 403 that says nothing":    {&renewing{}, []string{"403"}, nil},
		"healed":                     {&renewing{}, []string{"401", "200"}, []transport.Rejection{healed}},
		"healed, though not served":  {&renewing{}, []string{"401", "404"}, []transport.Rejection{healed}},
		"rejected again":             {&renewing{}, []string{"401", "401"}, []transport.Rejection{rejection, rejection}},
		"no other token":             {&stubborn{}, []string{`401 Bearer error="invalid_token"`}, []transport.Rejection{token}},
		"scopes":                     {&renewing{}, []string{`403 Bearer error="insufficient_scope"`}, []transport.Rejection{scope}},
		"words of the server's own":  {&stubborn{}, []string{`401 Bearer error="canary"`}, []transport.Rejection{rejection}},
		"healed, and another scheme": {&renewing{}, []string{`401 Basic error="invalid_token"`, "200"}, []transport.Rejection{healed}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []transport.Rejection
			answers := test.answers
			tr := &transport.Transport{
				Source:      test.source,
				OnRejection: func(_ context.Context, r transport.Rejection) { got = append(got, r) },
				Base: roundTripper(func(req *http.Request) (*http.Response, error) {
					status, challenge, _ := strings.Cut(answers[0], " ")
					answers = answers[1:]
					resp := &http.Response{StatusCode: 100*int(status[0]-'0') + int(status[2]-'0'), Body: http.NoBody,
						Header: http.Header{"Www-Authenticate": {challenge}}}
					return resp, nil
				}),
			}
			resp, err := tr.RoundTrip(request(t, "GET", "https://api.example.com/", nil))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if !slices.Equal(got, test.want) {
				t.Errorf("told of %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestHookForRejectionsCostsAnAcceptedTokenNothing(t *testing.T) {
	tr, req := cached(t, 1000, 3)
	count := func() float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := tr.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
		})
	}
	without := count()
	tr.OnRejection = func(context.Context, transport.Rejection) { t.Error("there was none") }
	if with := count(); with != without {
		t.Errorf("%v allocations, %v without the hook", with, without)
	}
}
