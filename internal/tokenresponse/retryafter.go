package tokenresponse

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 24 * time.Hour

// RetryAfter returns how long after r the server wants no request, 24 hours at most: its Retry-After, in seconds or a
// date (RFC 9110, section 10.2.3). It is 0 if there is none, or none to be understood.
func (r Response) RetryAfter() time.Duration {
	value := r.Header.Get("Retry-After")
	if len(value) > 100 {
		return 0
	}
	d, ok := seconds.Parse(value)
	if !ok {
		if t, err := http.ParseTime(value); err == nil {
			d = t.Sub(r.Received)
		}
	}
	return min(max(d, 0), maxRetryAfter)
}

// Bare returns a response that tells a status and how long the server wants no request, in whole seconds, and nothing
// else.
func Bare(status int, retryAfter time.Duration) *http.Response {
	header := make(http.Header)
	if retryAfter > 0 {
		whole := (retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(whole), 10))
	}
	return &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
		Body:       http.NoBody,
	}
}
