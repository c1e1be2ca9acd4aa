package transport

import (
	"net/http"
	"strings"

	"github.com/ccclient/go-ccclient/internal/challenge"
)

// DefaultRejected reports whether resp means that the token is no longer good and another one may help: it is a 401,
// and no Bearer or DPoP challenge in it says insufficient_scope or invalid_request, which a new token of the same
// kind would not change (RFC 6750, section 3.1).
func DefaultRejected(resp *http.Response) bool {
	if resp == nil || resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, c := range challenge.Parse(resp.Header) {
		if !strings.EqualFold(c.Scheme, "Bearer") && !strings.EqualFold(c.Scheme, "DPoP") {
			continue
		}
		if e := c.Params["error"]; e == "insufficient_scope" || e == "invalid_request" {
			return false
		}
	}
	return true
}

func (t *Transport) rejected(resp *http.Response) bool {
	if t.Rejected != nil {
		return t.Rejected(resp)
	}
	return DefaultRejected(resp)
}
