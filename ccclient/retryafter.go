package ccclient

import (
	"net/http"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After field: seconds, or a date (RFC 9110, section
// 10.2.3). It is 0 if there is none, or none to be understood.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	d, ok := seconds.Parse(value)
	if !ok {
		if t, err := http.ParseTime(value); err == nil {
			d = t.Sub(now)
		}
	}
	return min(max(d, 0), maxRetryAfter)
}
