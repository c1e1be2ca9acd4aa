package protectedresource

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/transport"
)

const suffix = "/.well-known/oauth-protected-resource"

// A resource is what metadata are looked for: the URL that a request was sent to.
type resource struct {
	url    string // without a fragment, which is not sent
	origin string // scheme, host and port as in url
	places []string
}

// at returns the resource that a request to u was for. place is where it says that its metadata are; empty: where RFC
// 9728 has them, at its path and then at the root.
func at(u *url.URL, place string) (resource, error) {
	if err := check(u); err != nil {
		return resource{}, err
	}
	sent := *u
	sent.Fragment, sent.RawFragment = "", ""
	r := resource{url: sent.String(), origin: u.Scheme + "://" + u.Host}
	if place == "" {
		r.places = slices.Compact([]string{insert(r.url), insert(r.origin)})
		return r, nil
	}
	p, err := url.Parse(place)
	if err != nil {
		return resource{}, errors.New("resource_metadata of its challenge is not a URL")
	}
	if err := check(p); err != nil {
		return resource{}, errors.New("resource_metadata of its challenge: " + err.Error())
	}
	if p.Scheme != "https" && u.Scheme == "https" {
		return resource{}, errors.New("resource_metadata of its challenge: not https, as the resource is")
	}
	p.Fragment, p.RawFragment = "", ""
	r.places = []string{p.String()}
	return r, nil
}

// check accepts an https URL, or an http one to this machine itself.
func check(u *url.URL) error {
	switch {
	case u.Host == "" || u.Opaque != "":
		return errors.New("not an absolute URL")
	case u.User != nil:
		return errors.New("a URL with a user name or password in it")
	case new(transport.Transport).Allows(u) != nil:
		return errors.New("only https is safe beyond loopback")
	}
	return nil
}

// insert returns where the metadata of an identifier are by RFC 9728, section 3.1: the well-known path goes between the
// host and what follows it, from which a lone slash is removed.
func insert(identifier string) string {
	scheme, rest, _ := strings.Cut(identifier, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, rest := rest[:end], rest[end:]
	if rest == "/" || strings.HasPrefix(rest, "/?") {
		rest = rest[1:]
	}
	return scheme + "://" + host + suffix + rest
}

// is reports whether metadata found at place, which say that they are of identifier, are those of the resource (RFC
// 9728, section 3.3). They are if that is identical to the URL asked, or, in the root's place, to its origin.
func (r resource) is(identifier, place string) bool {
	return identifier == r.url ||
		place == insert(r.origin) && (identifier == r.origin || identifier == r.origin+"/")
}
