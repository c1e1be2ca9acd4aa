package discovery

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	minLifetime     = 5 * time.Minute
	defaultLifetime = time.Hour
	maxLifetime     = 24 * time.Hour
)

// lifetime returns how long a document that came with the header is good for: the server's word in Cache-Control,
// within bounds, since "no-cache" must not mean a fetch before every token request, nor a slip of the pen a year.
func lifetime(h http.Header) time.Duration {
	for field := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minLifetime
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 64)
			if err != nil {
				continue
			}
			seconds = min(seconds, uint64(maxLifetime/time.Second))
			return max(time.Duration(seconds)*time.Second, minLifetime)
		}
	}
	return defaultLifetime
}
