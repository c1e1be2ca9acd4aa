package transport

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

// Whom a request is for is decided by three fields. net/http connects to URL.Host, writes Host (or URL.Host) into the
// Host field, and URL.Opaque into the request line, where a server reads it first (RFC 9112, section 3.2.2).

// authority returns the host and port of the server that req is for, as that server reads them.
func authority(req *http.Request) string { return cmp.Or(req.Host, req.URL.Host) }

// origin returns the origin that req is for, as its server reads it: RFC 6454, section 6.2.
func origin(req *http.Request) string {
	return hosts.Origin(&url.URL{Scheme: req.URL.Scheme, Host: hosts.AsSent(authority(req))})
}

// sameServer reports whether two requests go to the same place, and to the same one of the servers there.
func sameServer(a, b *http.Request) bool {
	return hosts.SameOrigin(a.URL, b.URL) && sameAuthority(a.URL.Scheme, authority(a), authority(b))
}

func sameAuthority(scheme, a, b string) bool {
	return a == b || hosts.SameOrigin(&url.URL{Scheme: scheme, Host: a}, &url.URL{Scheme: scheme, Host: b})
}

// checkTarget returns an error if the request line of req would name another server than its Host field does.
func checkTarget(req *http.Request) error {
	u := req.URL
	if u.Opaque == "" {
		// The path is sent as it is, and may look like a URL. "*" is a path of its own (RFC 9112, section 3.2.4), which
		// net/http puts at the end of the host's name where it sends http to a proxy.
		if u.Path == "" || u.Path[0] == '/' || u.Path == "*" && u.Scheme == "https" {
			return nil
		}
		return faultf("the path of the request's URL, %.100q, does not begin with a slash", u.Path)
	}
	if named, _, ok := splitOpaque(u); !ok || named != "" && !sameAuthority(u.Scheme, named, authority(req)) {
		return fmt.Errorf("%w: the Opaque of the request's URL names another server than %.100q, or none at all",
			ErrHostNotAllowed, authority(req))
	}
	return nil
}

// splitOpaque splits the Opaque of u, as net/http sends it, into the authority that it names, if any, and the path.
func splitOpaque(u *url.URL) (authority, path string, ok bool) {
	rest, isAuthority := strings.CutPrefix(u.Opaque, "//")
	if !isAuthority {
		if strings.HasPrefix(rest, "/") {
			return "", rest, true
		}
		if rest, isAuthority = strings.CutPrefix(rest, u.Scheme+"://"); !isAuthority {
			return "", "", false
		}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], rest[end:], end > 0
}

// target returns the target URI of req as its server puts it together (RFC 9110, section 7.1), without query and
// fragment: RFC 9449, section 4.2. It is normalized where the server might be (RFC 3986, section 6.2): the letters of
// scheme and host, the default port, the empty path.
func target(req *http.Request) (origin, path string, err error) {
	if err := checkTarget(req); err != nil {
		return "", "", err
	}
	host := hosts.AsSent(authority(req))
	if host == "" {
		return "", "", faultf("a DPoP proof is for a server that can be named, and %.100q is no host", authority(req))
	}
	path = req.URL.EscapedPath()
	if req.URL.Opaque != "" {
		_, path, _ = splitOpaque(req.URL)
	}
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	if path == "" || path == "*" { // RFC 9112, section 3.3: no path
		path = "/"
	}
	return hosts.Origin(&url.URL{Scheme: req.URL.Scheme, Host: host}), path, nil
}
