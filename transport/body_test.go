package transport_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ccclient/go-ccclient/transport"
)

// rejectedOnce sends req to a server that rejects the first token and accepts the second.
func rejectedOnce(t *testing.T, limit int64, req *http.Request) (*base, *source, *http.Response) {
	t.Helper()
	b, s := answers(reply{status: 401}, reply{status: 200}), bearer("first", "second")
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, ReplayLimit: limit}, req)
	return b, s, resp
}

func TestBodyWithGetBodyIsSentAgain(t *testing.T) {
	first, second := newBody("text"), newBody("text")
	req := request(t, "POST", "https://a.example/", first)
	req.GetBody = func() (io.ReadCloser, error) { return second, nil }
	b, _, resp := rejectedOnce(t, 0, req)
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "bodies", b.seen[0].body+" "+b.seen[1].body, "text text")
	first.closedOnce(t)
	second.closedOnce(t)
}

func TestFailingGetBodyLeavesTheFirstAnswer(t *testing.T) {
	req := request(t, "POST", "https://a.example/", newBody("text"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
	b, s, resp := rejectedOnce(t, 0, req)
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "requests", len(b.seen), 1)
	equal(t, "invalidated", len(s.invalidated), 1)
}

func TestGetBodyThatReturnsNothingLeavesTheFirstAnswer(t *testing.T) {
	req := request(t, "POST", "https://a.example/", newBody("text"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, nil }
	b, _, resp := rejectedOnce(t, 0, req)
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "requests", len(b.seen), 1)
}

func TestRequestWithoutBodyIsSentAgain(t *testing.T) {
	for _, none := range []io.Reader{nil, http.NoBody} {
		_, _, resp := rejectedOnce(t, 0, request(t, "DELETE", "https://a.example/", none))
		equal(t, "status", resp.StatusCode, 200)
	}
}

func TestBodyThatCannotBeSentAgainLeavesTheAnswerUntouched(t *testing.T) {
	sent := newBody("text")
	b, s, resp := rejectedOnce(t, 0, request(t, "POST", "https://a.example/", sent))
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "requests", len(b.seen), 1)
	equal(t, "body", b.seen[0].body, "text")
	equal(t, "invalidated", strings.Join(s.invalidated, ", "), "first")
	equal(t, "tokens asked for", s.asked, 1)
	sent.closedOnce(t)
}

func TestBodyWithinReplayLimitIsBufferedAndSentAgain(t *testing.T) {
	for _, tc := range []struct {
		text   string
		length int64
		limit  int64
		again  bool
	}{
		{"text", 4, 4, true},
		{"text", -1, 4, true},
		{"text", 0, 4, true}, // with a Body that is not nil, 0 means unknown as well
		{"text", -1, math.MaxInt64, true},
		{"", -1, 1, true},
		{"longer", 6, 4, false},
		{"longer", -1, 4, false},
		{strings.Repeat("x", 100_000), -1, 99_999, false},
		{strings.Repeat("x", 100_000), -1, 100_000, true},
	} {
		sent := newBody(tc.text)
		req := request(t, "POST", "https://a.example/", sent)
		req.ContentLength = tc.length
		b, s, resp := rejectedOnce(t, tc.limit, req)
		want := 401
		if tc.again {
			want = 200
			equal(t, "second body", b.seen[1].body, tc.text)
		}
		equal(t, "status", resp.StatusCode, want)
		equal(t, "first body", b.seen[0].body, tc.text)
		equal(t, "ContentLength", b.seen[0].request.ContentLength, tc.length)
		equal(t, "invalidated", len(s.invalidated), 1)
		sent.closedOnce(t)
	}
}

func TestBufferedBodyIsNotReadBeforeTheTokenIsThere(t *testing.T) {
	sent := newBody("text")
	_, err := (&transport.Transport{Source: bearer(), Base: answers(), ReplayLimit: 10}).RoundTrip(request(t, "POST",
		"https://a.example/", sent))
	if !errors.Is(err, errNoToken) {
		t.Error(err)
	}
	if rest, _ := io.ReadAll(sent); string(rest) != "text" {
		t.Errorf("left of the body: %q", rest)
	}
	sent.closedOnce(t)
}

func TestUnreadableBodyIsAnErrorBeforeAnythingIsSent(t *testing.T) {
	broken := errors.New("the disk is gone")
	sent := &body{Reader: io.MultiReader(strings.NewReader("te"), iotest.ErrReader(broken))}
	b := answers()
	_, err := (&transport.Transport{Source: bearer("token"), Base: b, ReplayLimit: 10}).RoundTrip(request(t, "POST",
		"https://a.example/", sent))
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	equal(t, "requests", len(b.seen), 0)
	sent.closedOnce(t)
}

func TestContextThatEndsWhileBodyIsBufferedEndsTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() { // ends when the pipe is closed for reading
		io.WriteString(w, "x")
		cancel()
	}()
	b := answers()
	_, err := (&transport.Transport{Source: bearer("token"), Base: b, ReplayLimit: 10}).RoundTrip(request(t, "POST",
		"https://a.example/", r).WithContext(ctx))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	equal(t, "requests", len(b.seen), 0)
}

func TestCarelessBaseDoesNotCloseTheCallersBodyTwice(t *testing.T) {
	for _, limit := range []int64{0, 2, 10} {
		sent := newBody("text")
		returned := make(chan struct{})
		closed := make(chan struct{})
		careless := roundTripper(func(req *http.Request) (*http.Response, error) {
			req.Body.Close()
			go func() {
				<-returned
				req.Body.Close()
				close(closed)
			}()
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		roundTrip(t, &transport.Transport{Source: bearer("token"), Base: careless, ReplayLimit: limit},
			request(t, "POST", "https://a.example/", sent))
		close(returned)
		<-closed
		sent.closedOnce(t)
	}
}

func TestBodyInMemoryReachesTheBaseAsItIs(t *testing.T) {
	req := request(t, "POST", "https://a.example/", strings.NewReader("text"))
	b := answers()
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
	if b.seen[0].request.Body != req.Body {
		t.Error("it was wrapped")
	}
}

func TestBodyKnownToExceedReplayLimitIsNotReadAhead(t *testing.T) {
	sent := newBody("text")
	req := request(t, "POST", "https://a.example/", sent)
	req.ContentLength = 4
	lazy := roundTripper(func(req *http.Request) (*http.Response, error) {
		if left := sent.Reader.(*strings.Reader).Len(); left != 4 {
			t.Errorf("%d bytes of 4 are left", left)
		}
		return &http.Response{StatusCode: 200, Body: http.NoBody}, req.Body.Close()
	})
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: lazy, ReplayLimit: 3}, req)
	sent.closedOnce(t)
}
