package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// A stub answers token requests at once with tokens of a size, each another
// one, and remembers nothing: what is on the heap after it is the client's.
type stub struct {
	size int // of the tokens, at least 20
	made atomic.Int64
}

const stubLife = time.Hour

func (s *stub) arena() arena { return arena{server: s, life: stubLife} }

func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	number := fmt.Sprintf("%020d", s.made.Add(1))
	token := number + strings.Repeat("t", s.size-len(number))
	body := fmt.Appendf(nil, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(stubLife.Seconds()))
	return &http.Response{
		StatusCode:    http.StatusOK,
		Status:        "200 OK",
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}, nil
}

// A null base answers at once, and always the same, so that a cost is the
// transport's own.
type null struct{ resp http.Response }

func (n *null) RoundTrip(*http.Request) (*http.Response, error) { return &n.resp, nil }
