package ccclient

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// A Target says what a token is for, where that differs from the Config, or from the Client that [Client.For] is called
// on. What is empty (of length 0) inherits, anything else replaces. EndpointParams are merged key by key, and a key
// without values inherits too. So nothing can be taken away: what must be absent from some tokens is left out of the
// Config, and added by For to the others.
//
// The fields mean what those of [Config] with the same names do. Printing or logging a Target shows the names of
// EndpointParams, not their values.
type Target struct {
	Scopes         []string
	Audience       string
	Resources      []string
	EndpointParams url.Values

	// Label names the token for people, in logs and in the printed Client; keep to a few labels, since metrics may have
	// one series for each. It does not tell tokens apart: of several labels for the same token the first one stays.
	Label string
}

// empty reports whether t leaves everything to be inherited.
func (t *Target) empty() bool {
	return len(t.Scopes) == 0 && t.Audience == "" && len(t.Resources) == 0 && len(t.EndpointParams) == 0 &&
		t.Label == ""
}

// inherit returns t with what it leaves open taken from base. The result shares what it can with both; it allocates
// nothing, unless both have EndpointParams.
func (t Target) inherit(base *Target) Target {
	if len(t.Scopes) == 0 {
		t.Scopes = base.Scopes
	}
	if t.Audience == "" {
		t.Audience = base.Audience
	}
	if len(t.Resources) == 0 {
		t.Resources = base.Resources
	}
	t.EndpointParams = mergeParams(t.EndpointParams, base.EndpointParams)
	if t.Label == "" {
		t.Label = base.Label
	}
	return t
}

func mergeParams(own, base url.Values) url.Values {
	if len(own) == 0 {
		return base
	}
	if len(base) == 0 && !hasEmpty(own) {
		return own
	}
	merged := make(url.Values, len(own)+len(base))
	maps.Copy(merged, base)
	for name, values := range own {
		if len(values) > 0 {
			merged[name] = copyOf(values)
		}
	}
	return merged
}

func hasEmpty(params url.Values) bool {
	for _, values := range params {
		if len(values) == 0 {
			return true
		}
	}
	return false
}

// hash returns a hash of what t asks for. The order of scopes and of parameters does not change it.
func (t *Target) hash(seed maphash.Seed) (h uint64) {
	for _, scope := range t.Scopes {
		h += maphash.String(seed, scope)
	}
	if t.Audience != "" {
		h = mix(h, maphash.String(seed, t.Audience))
	}
	for _, resource := range t.Resources {
		h = mix(h, maphash.String(seed, resource))
	}
	if len(t.EndpointParams) > 0 {
		h ^= hashParams(seed, t.EndpointParams)
	}
	return h
}

func hashParams(seed maphash.Seed, params url.Values) (h uint64) {
	for name, values := range params {
		param := maphash.String(seed, name)
		for _, value := range values {
			param = mix(param, maphash.String(seed, value))
		}
		h += param
	}
	return h
}

// mix returns a hash of two, in this order. The factor is odd and has no pattern in its bits.
func mix(a, b uint64) uint64 { return a*0x9E3779B97F4A7C15 + b }

// sameScopes reports whether a and b have the same scopes, each as often.
func sameScopes(a, b []string) bool {
	if slices.Equal(a, b) || len(a) != len(b) {
		return len(a) == len(b)
	}
	for _, scope := range a {
		if count(a, scope) != count(b, scope) {
			return false
		}
	}
	return true
}

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}

// clone returns a copy that shares nothing with t, texts included: so whatever a caller of For builds for it can stay
// on that caller's stack.
func (t *Target) clone() Target {
	c := Target{
		Scopes:    copyOf(t.Scopes),
		Audience:  strings.Clone(t.Audience),
		Resources: copyOf(t.Resources),
		Label:     strings.Clone(t.Label),
	}
	if len(t.EndpointParams) > 0 {
		c.EndpointParams = make(url.Values, len(t.EndpointParams))
		for name, values := range t.EndpointParams {
			c.EndpointParams[name] = copyOf(values)
		}
	}
	return c
}

// copyOf is slices.Clone in a form by which the compiler sees that list is not kept.
func copyOf(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	c := make([]string, len(list))
	copy(c, list)
	return c
}

// key appends to dst the cache key of the token for t with a client's key. It reports whether a secret of t is in it.
func (t *Target) key(dst, client []byte, hash cachekey.Secrets) (key []byte, secret bool) {
	var buf [512]byte
	h := cachekey.After(append(buf[:0], client...))
	scopes := t.Scopes
	if !slices.IsSorted(scopes) {
		scopes = slices.Sorted(slices.Values(scopes))
	}
	h.List(scopes)
	h.Add(t.Audience)
	h.List(t.Resources)
	h.Params(t.EndpointParams)
	return h.Sum(dst, hash)
}

// form returns the parameters of a token request, without the authentication.
func (t *Target) form() url.Values {
	form := maps.Clone(t.EndpointParams)
	if form == nil {
		form = url.Values{}
	}
	if len(t.Scopes) > 0 {
		form.Set("scope", strings.Join(t.Scopes, " "))
	}
	if t.Audience != "" {
		form.Set("audience", t.Audience)
	}
	if len(t.Resources) > 0 {
		form["resource"] = slices.Clone(t.Resources)
	}
	return form
}

// Format prints t without the values of EndpointParams, whatever the verb.
func (t Target) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Target{Scopes: %q, Audience: %q, Resources: %q, EndpointParams: %q, Label: %q}",
		t.Scopes, t.Audience, t.Resources, redact.Names(t.EndpointParams), t.Label)
}

// String returns what Format prints.
func (t Target) String() string { return fmt.Sprint(t) }

// MarshalText returns what Format prints, to encoding/json and its like.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue returns what Format prints.
func (t Target) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Any("scopes", t.Scopes),
		slog.String("audience", t.Audience),
		slog.Any("resources", t.Resources),
		slog.Any("endpoint_params", redact.Names(t.EndpointParams)),
		slog.String("label", t.Label),
	)
}
