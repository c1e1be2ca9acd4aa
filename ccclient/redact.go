package ccclient

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// credentials lists what is secret in r, of which plain is the form before it
// was authenticated: all that authentication added, and further parameters
// whose names say so.
func credentials(r *Request, plain url.Values) []string {
	var all []string
	if r.secret != nil {
		s := r.secret() // and the pair of Basic, which a server may put together anew
		all = append(all, s, r.ClientID+":"+s, formEncode(r.ClientID)+":"+formEncode(s))
	}
	for name, values := range r.Form {
		switch {
		case name == "client_id" || name == "client_assertion_type":
		case !slices.Equal(values, plain[name]) || secretName(name):
			all = append(all, values...)
		}
	}
	if u, err := url.Parse(r.TokenURL); err == nil {
		for name, values := range u.Query() {
			if secretName(name) {
				all = append(all, values...)
			}
		}
	}
	for name, values := range r.Header {
		if name == "Accept" || name == "Content-Type" || slices.Equal(values, r.plainHeader[name]) && !secretName(name) {
			continue
		}
		for _, value := range values {
			all = append(all, value)
			scheme, rest, _ := strings.Cut(value, " ")
			all = append(all, rest)
			if strings.EqualFold(scheme, "Basic") {
				all = append(all, basicPassword(rest)...)
			}
		}
	}
	return all
}

// basicPassword gives the password of Basic credentials, as it is and decoded.
func basicPassword(credentials string) []string {
	b, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return nil
	}
	_, password, _ := strings.Cut(string(b), ":")
	decoded, err := url.QueryUnescape(password)
	if err != nil {
		return []string{password}
	}
	return []string{password, decoded}
}

// secretName reports whether a parameter of this name is likely to hold a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"secret", "password", "token", "assertion", "key", "code"} {
		if strings.Contains(name, part) && !strings.HasSuffix(name, "_type") && !strings.HasSuffix(name, "_format") {
			return true
		}
	}
	return false
}
