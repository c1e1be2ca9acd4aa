package ccclient

import (
	"maps"
	"net/http"
	"slices"

	"github.com/ccclient/go-ccclient/internal/field"
)

// headerSetBy names what sets a header field of token requests, where that is not left to Config.EndpointHeader.
var headerSetBy = map[string]string{
	"Authorization": "Auth",
	"Content-Type":  "the form",
	"Dpop":          "DPoPKey",
}

// headerFaults returns what is wrong with Config.EndpointHeader. It repeats no value.
func headerFaults(h http.Header) (f faults) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if err := field.CheckName(name); err != nil {
			f.add("EndpointHeader", "%w", err)
		} else if by, taken := headerSetBy[http.CanonicalHeaderKey(name)]; taken {
			f.add("EndpointHeader", "%s is what %s sets", name, by)
		}
		for _, value := range h[name] {
			if err := field.CheckValue(value); err != nil {
				f.add("EndpointHeader", "%s: %w", name, err)
			}
		}
	}
	return f
}

// canonicalHeader returns a copy of h, whose names may be spelt in any case.
func canonicalHeader(h http.Header) http.Header {
	c := make(http.Header, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			c.Add(name, value)
		}
	}
	return c
}
