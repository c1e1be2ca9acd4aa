package transport

import (
	"maps"
	"net/http"
	"strings"
)

// fields counts those in a header that decide over the token. A key is taken in any spelling, since net/http sends it
// as it is spelled and servers read it in any. An empty value counts as none.
type fields struct {
	authorizations int  // the caller's own
	proofs         int  // the caller's own, for DPoP
	empty          int  // of either name, which would go out beside another
	host           bool // a second Host field: net/http leaves out only the key that it would write itself
}

func countFields(h http.Header) (own fields) {
	for name := range h {
		if len(name) == len("Authorization") || len(name) == len("DPoP") { // All others cost a request next to nothing.
			own.count(name, h[name])
		}
	}
	return own
}

func (own *fields) count(name string, values []string) {
	switch {
	case strings.EqualFold(name, "Host"):
		own.host = own.host || name != "Host"
	case !strings.EqualFold(name, "Authorization") && !strings.EqualFold(name, "DPoP"):
	case !anyNotEmpty(values):
		own.empty++
	case len(name) == len("DPoP"):
		own.proofs++
	default:
		own.authorizations++
	}
}

// check returns an error if a name has two fields with different keys, of which a server would take either.
func (own fields) check() error {
	switch {
	case own.authorizations > 1:
		return faultf("the request has more than one Authorization field")
	case own.proofs > 1:
		return faultf("the request has more than one DPoP field")
	}
	return nil
}

// withoutEmpty returns req, or a copy without the empty ones of these fields if there are any.
func (own fields) withoutEmpty(req *http.Request) *http.Request {
	if own.empty == 0 {
		return req
	}
	out := *req
	out.Header = maps.Clone(req.Header)
	deleteEmpty(out.Header)
	return &out
}

func deleteEmpty(h http.Header) {
	maps.DeleteFunc(h, func(name string, values []string) bool {
		return !anyNotEmpty(values) && (strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "DPoP"))
	})
}

// deleteField deletes all spellings of a name from h.
func deleteField(h http.Header, name string) {
	maps.DeleteFunc(h, func(key string, _ []string) bool { return strings.EqualFold(key, name) })
}

func anyNotEmpty(values []string) bool {
	for _, v := range values {
		if v != "" {
			return true
		}
	}
	return false
}
