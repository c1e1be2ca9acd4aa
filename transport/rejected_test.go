package transport_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

func TestOnlyWhatTheTokenIsToBlameForIsARejection(t *testing.T) {
	for _, tc := range []struct {
		status int
		lines  []string
		want   bool
	}{
		{401, nil, true},
		{401, []string{`Bearer`}, true},
		{401, []string{`Bearer error="invalid_token"`}, true},
		{401, []string{`Basic realm="x", error="invalid_request"`}, true},
		{401, []string{`Basic realm="Bearer error=insufficient_scope"`}, true},
		{401, []string{`Bearer error="insufficient_scope", scope="a b"`}, false},
		{401, []string{`bearer error=invalid_request`}, false},
		{401, []string{`Basic realm="a, b"`, `dpop algs="ES256", ERROR = "insufficient_scope"`}, false},
		{401, []string{`Basic realm="x", Bearer realm="y", error="invalid_request"`}, false},
		{403, []string{`Bearer error="invalid_token"`}, false},
		{400, nil, false}, {200, nil, false}, {407, nil, false}, {500, nil, false},
	} {
		resp := &http.Response{StatusCode: tc.status, Header: challenges(tc.lines...)}
		equal(t, strings.Join(tc.lines, " / "), transport.DefaultRejected(resp), tc.want)
	}
	equal(t, "nil", transport.DefaultRejected(nil), false)
}

func TestWhatIsARejectionCanBeSaidOtherwise(t *testing.T) {
	b, s := answers(reply{status: 403}, reply{status: 200}), bearer("first", "second")
	var asked *http.Request
	req := request(t, "GET", "https://a.example/", nil)
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, Rejected: func(resp *http.Response) bool {
		asked = resp.Request
		return resp.StatusCode == 403
	}}, req)
	equal(t, "status", resp.StatusCode, 200)
	if asked != req {
		t.Error("Rejected saw the request that holds the token")
	}
}

func TestAnswerThatIsNoRejectionCostsTheTokenNothing(t *testing.T) {
	for _, status := range []int{101, 200, 302, 403, 404, 429, 503} {
		b, s := answers(reply{status: status}), bearer("first", "second")
		roundTrip(t, &transport.Transport{Source: s, Base: b}, request(t, "GET", "https://a.example/", nil))
		equal(t, "requests", len(b.seen), 1)
		equal(t, "invalidated", len(s.invalidated), 0)
	}
}
