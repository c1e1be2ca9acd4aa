package tokenresponse

import (
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// lifetime returns how long a token lives from when its request was sent: expires_in or, if that is missing, null, 0 or
// not a number, the time until expires_on, the moment itself. It is 0 if neither says, and [seconds.Max] at most. What
// is negative or in the past is ErrExpired.
func (m Members) lifetime(sent time.Time) (time.Duration, error) {
	d, _ := seconds.Parse(m["expires_in"])
	if d == 0 {
		on, ok := unixSeconds(m["expires_on"])
		if !ok {
			return 0, nil
		}
		d = seconds.Duration(on - float64(sent.UnixNano())/1e9)
		if d == 0 {
			d = -1
		}
	}
	if d < 0 {
		return 0, ErrExpired
	}
	return d, nil
}

// dateLayouts are those that Azure's token services have written expires_on in.
var dateLayouts = []string{time.RFC3339, "1/2/2006 15:04:05 -07:00", "1/2/2006 3:04:05 PM -07:00"}

// unixSeconds reads a moment: seconds since 1970, milliseconds if that makes more sense, or a date.
func unixSeconds(v any) (float64, bool) {
	const milliseconds = 1e11 // as seconds: the year 5138; as milliseconds: 1973
	if f, ok := seconds.Number(v); ok {
		if f > milliseconds {
			f /= 1000
		}
		return f, f > 0
	}
	s, _ := v.(string)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return float64(t.Unix()), true
		}
	}
	return 0, false
}
