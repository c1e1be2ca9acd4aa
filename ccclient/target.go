package ccclient

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
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

// target is what the tokens of cfg are for.
func (cfg *Config) target() Target {
	t := Target{Scopes: cfg.Scopes, Audience: cfg.Audience, Resources: cfg.Resources, EndpointParams: cfg.EndpointParams}
	t = t.inherit(Target{})
	return t.clone()
}

// empty reports whether t leaves everything to be inherited.
func (t *Target) empty() bool {
	return len(t.Scopes) == 0 && t.Audience == "" && len(t.Resources) == 0 && len(t.EndpointParams) == 0 && t.Label == ""
}

// inherit returns t with what it leaves open taken from base. The result shares what it can with both; it allocates
// nothing, unless both have EndpointParams.
func (t Target) inherit(base Target) Target {
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

// clone returns a copy that shares nothing with t, texts included: so whatever a caller of For builds for it can stay on
// that caller's stack.
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

// validate returns what is wrong with t for a client that authenticates with auth.
func (t *Target) validate(auth Auth) (f faults) {
	for _, s := range t.Scopes {
		f.of("Scopes", checkScope(s))
	}
	for _, res := range t.Resources {
		f.of("Resources", checkResource(res))
	}
	setBy := make(map[string]string)
	for _, name := range slices.Concat(foreign.parameters, factsOf(auth).parameters) { // of two methods one is too many
		setBy[name] = "Auth"
	}
	setBy["client_id"] = "ClientID" // whether or not Auth sends it
	if len(t.Scopes) > 0 {
		setBy["scope"] = "Scopes"
	}
	if t.Audience != "" {
		setBy["audience"] = "Audience"
	}
	if len(t.Resources) > 0 {
		setBy["resource"] = "Resources"
	}
	for _, name := range slices.Sorted(maps.Keys(t.EndpointParams)) {
		switch by, taken := setBy[name]; {
		case name == "":
			f.add("EndpointParams", "a parameter without a name")
		case taken:
			f.add("EndpointParams", "%q is what %s sets: use that alone", name, by)
		case name == "grant_type" && len(t.EndpointParams[name]) != 1:
			f.add("EndpointParams", "grant_type has %d values, want one", len(t.EndpointParams[name]))
		}
	}
	return f
}

// checkScope holds a scope to the grammar of RFC 6749, section 3.3.
func checkScope(s string) error {
	if s == "" {
		return errors.New("an empty scope")
	}
	for _, c := range []byte(s) {
		switch {
		case c == ' ':
			return fmt.Errorf("%q has a space: one scope an element", s)
		case c < 0x21 || c > 0x7e || c == '"' || c == '\\':
			return fmt.Errorf("%q has a character that a scope may not have (RFC 6749, section 3.3)", s)
		}
	}
	return nil
}

// checkResource holds a resource indicator to RFC 8707, section 2.
func checkResource(s string) error {
	switch u, err := url.Parse(s); {
	case err != nil || !u.IsAbs():
		return fmt.Errorf("%q is not an absolute URI (RFC 8707, section 2)", s)
	case strings.Contains(s, "#"):
		return fmt.Errorf("%q has a fragment (RFC 8707, section 2)", s)
	}
	return nil
}

// Format prints t without the values of EndpointParams, whatever the verb.
func (t Target) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Target{Scopes: %q, Audience: %q, Resources: %q, EndpointParams: %q, Label: %q}",
		t.Scopes, t.Audience, t.Resources, names(t.EndpointParams), t.Label)
}

// LogValue returns what Format prints.
func (t Target) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Any("scopes", t.Scopes),
		slog.String("audience", t.Audience),
		slog.Any("resources", t.Resources),
		slog.Any("endpoint_params", names(t.EndpointParams)),
		slog.String("label", t.Label),
	)
}
