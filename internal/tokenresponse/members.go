package tokenresponse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/rawjson"
	"github.com/ccclient/go-ccclient/internal/seconds"
)

// Members are a response's members, by name. A value is what encoding/json makes of it; from a form all are strings.
//
// Not all of them are there: a response may have so many, of such a shape, that they would take fifty times its size in
// memory. Beside a token those count that come first, see [MaxExtras]. Without one there is nothing but what may say
// why, and of that the first 4 KiB.
type Members map[string]any

// Beside a token a response may have as many members as this, of so many bytes in all, names included, and none that is
// nested deeper. What does not fit is left out, whole.
const (
	MaxExtras     = 256
	MaxExtraBytes = 64 << 10
	maxExtraDepth = 32
)

// maxExplanation is how many bytes count of each member that may say why there is no token. No more than 200 characters
// are ever shown.
const maxExplanation = 4 << 10

// extrasFirst are those that count first, be there ever so many others.
var extrasFirst = []string{"expires_on", "refresh_in", "scope"}

// flagNames tell a refusal from a success, also beside a token, or what the token is. They count whatever they are:
// what is too large must not be taken for what is not there.
var flagNames = append([]string{"error", "ok"}, fieldNames...)

// knownNames are all that this package looks for.
var knownNames = slices.Concat(tokenNames, extrasFirst, flagNames, codeNames, descriptionNames,
	[]string{"error_uri", "fault", "errors", "response"})

// decodeObject reads one JSON object. Numbers become float64, as x/oauth2 has them, but one that no float64 can hold
// does not spoil the rest.
func decodeObject(body []byte) (Members, error) {
	if !json.Valid(body) {
		return nil, whyInvalid(body)
	}
	known := make(map[string][]byte)
	for name, value := range rawjson.Members(body) {
		if slices.Contains(knownNames, name) {
			known[name] = value // the last one counts
		}
	}
	m := make(Members)
	if rawjson.String(known["access_token"]) == "" {
		for name, value := range known {
			m[name] = explanation(value, 3)
		}
		return m, nil
	}
	s := selection{left: MaxExtraBytes, kept: make(map[string][]byte)}
	for _, name := range extrasFirst {
		if value, ok := known[name]; ok {
			s.take(name, value)
		}
	}
	for name, value := range rawjson.Members(body) {
		if !slices.Contains(extrasFirst, name) {
			s.take(name, value)
		}
	}
	for name, value := range s.kept {
		m[name] = decode(value)
	}
	for _, name := range flagNames {
		if value, ok := known[name]; ok && m[name] == nil {
			m[name] = explanation(value, 3)
		}
	}
	for _, name := range tokenNames {
		if value := known[name]; len(value) > 0 && value[0] == '"' {
			m[name] = rawjson.String(value)
		}
	}
	return m, nil
}

// whyInvalid returns what is wrong with a body that is not one JSON object. encoding/json would quote it.
func whyInvalid(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	var ignored unread
	switch err := dec.Decode(&ignored); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer is cut short: %d bytes of JSON without an end", len(body))
	case err != nil:
		offset := dec.InputOffset()
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = syntax.Offset
		}
		return fmt.Errorf("the answer is not valid JSON, from byte %d on", offset)
	}
	return fmt.Errorf("the answer goes on after its JSON object, from byte %d on", dec.InputOffset())
}

// unread is a value that is passed over.
type unread struct{}

func (*unread) UnmarshalJSON([]byte) error { return nil }

// A selection is what is kept of the members beside a token.
type selection struct {
	kept map[string][]byte
	left int // bytes
}

// take keeps a member if there is room. The last one of a name counts, whether it has room or not.
func (s *selection) take(name string, value []byte) {
	if slices.Contains(tokenNames, name) {
		return
	}
	if before, ok := s.kept[name]; ok {
		s.left += len(name) + len(before)
		delete(s.kept, name)
	}
	if size := len(name) + len(value); size <= s.left && len(s.kept) < MaxExtras &&
		rawjson.Depth(value) <= maxExtraDepth {
		s.left -= size
		s.kept[name] = value
	}
}

// decode returns what encoding/json makes of a value, with float64 for numbers.
func decode(value []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	_ = dec.Decode(&v) // it is valid
	return floats(v)
}

// explanation returns what counts of a value that may say why there is no token. Of one that is too large that is the
// beginning of a text, the first element of an array, and as much of the members of an object as fits, in which what is
// too large is cut in the same way, down to so many levels.
func explanation(value []byte, levels int) any {
	if len(value) <= maxExplanation && rawjson.Depth(value) <= maxExtraDepth {
		return decode(value)
	}
	switch value[0] {
	case '"':
		return cut(rawjson.String(value))
	case '[':
		if levels > 0 {
			for first := range rawjson.Elements(value) {
				return []any{explanation(first, levels-1)}
			}
		}
		return []any{}
	case '{':
		m := make(map[string]any)
		left, cuts := maxExplanation, 16
		for name, v := range rawjson.Members(value) {
			switch size := len(name) + len(v); {
			case size <= left && len(m) < MaxExtras && rawjson.Depth(v) <= maxExtraDepth:
				left -= size
				m[name] = decode(v)
			case levels > 0 && cuts > 0 && len(name) <= 100:
				cuts--
				m[name] = explanation(v, levels-1)
			}
		}
		return m
	}
	f, _ := seconds.Number(json.Number(value[:maxExplanation])) // so long a number is beyond what its end could change
	return f
}

// cut returns the beginning of a text that is too long to explain anything.
func cut(s string) string {
	if len(s) <= maxExplanation {
		return s
	}
	return strings.ToValidUTF8(strings.Clone(s[:maxExplanation]), "")
}

// floats turns the json.Numbers in v into float64.
func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := seconds.Number(v)
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = floats(v[name])
		}
	}
	return v
}

// decodeForm reads a form that is a token or an error response; it returns nil if body is none.
func decodeForm(body []byte) Members {
	if bytes.Count(body, []byte("&")) > 4*MaxExtras {
		return nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("access_token") && !form.Has("error") {
		return nil
	}
	m := make(Members)
	left := MaxExtraBytes
	for _, name := range slices.Concat(extrasFirst, slices.Sorted(maps.Keys(form))) {
		value := form.Get(name)
		_, again := m[name]
		switch size := len(name) + len(value); {
		case !form.Has(name) || again:
		case slices.Contains(tokenNames, name):
			m[strings.Clone(name)] = strings.Clone(value) // not a part of all that was sent
		case form.Get("access_token") == "" && slices.Contains(knownNames, name), slices.Contains(flagNames, name):
			m[strings.Clone(name)] = strings.Clone(cut(value))
		case form.Get("access_token") != "" && size <= left && len(m) < MaxExtras:
			left -= size
			m[strings.Clone(name)] = strings.Clone(value)
		}
	}
	return m
}
