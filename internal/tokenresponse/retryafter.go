package tokenresponse

import (
	"net/http"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 24 * time.Hour

// RetryAfter returns how long after r the server wants no request, 24 hours at most: its Retry-After, in seconds or a
// date (RFC 9110, section 10.2.3). It is 0 if there is none, or none to be understood.
func (r Response) RetryAfter() time.Duration {
	value := r.Header.Get("Retry-After")
	d, ok := seconds.Parse(value)
	if !ok {
		if t, err := http.ParseTime(value); err == nil {
			d = t.Sub(r.Received)
		}
	}
	return min(max(d, 0), maxRetryAfter)
}
