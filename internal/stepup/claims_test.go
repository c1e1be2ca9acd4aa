package stepup_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/stepup"
)

func TestClaimsAreMergedMemberByMember(t *testing.T) {
	const declared = `{"access_token":{"xms_cc":{"values":["cp1"]}}}`
	for _, test := range []struct{ name, base, more, want string }{
		{"nothing before", "", `{"a": 1}`, `{"a":1}`},
		{"nothing new", `{"b": 1, "a": 2}`, "", `{"a":2,"b":1}`},
		{"beside a capability", declared, `{"access_token": {"nbf": {"essential": true, "value": "17"}}}`,
			`{"access_token":{"nbf":{"essential":true,"value":"17"},"xms_cc":{"values":["cp1"]}}}`},
		{"another value", `{"access_token":{"nbf":{"essential":true,"value":"17"}}}`,
			`{"access_token":{"nbf":{"value":"18"}}}`, `{"access_token":{"nbf":{"essential":true,"value":"18"}}}`},
		{"an object for a value", `{"a":null}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{"a value for an object", `{"a":{"b":1}}`, `{"a":null}`, `{"a":null}`},
		{"arrays are values", `{"a":[1,2]}`, `{"a":[ 3 ]}`, `{"a":[3]}`},
		{"numbers as they stand", "", `{"a":12345678901234567890.50}`, `{"a":12345678901234567890.50}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := stepup.Merge(test.base, test.more)
			if !ok || got != test.want {
				t.Errorf("got %s %v, want %s", got, ok, test.want)
			}
		})
	}
}

func TestWhatIsNoPlainObjectIsNotMerged(t *testing.T) {
	for _, text := range []string{
		"[]", "null", `"a"`, "1", "{", "{} {}", `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, "{\"a\":\"\xff\"}",
		strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17), `{"a":"` + strings.Repeat("x", 8<<10) + `"}`,
	} {
		if got, ok := stepup.Merge(text, `{"c":1}`); ok {
			t.Errorf("%.40s and more came to %.40s", text, got)
		}
		if got, ok := stepup.Merge(`{"c":1}`, text); ok {
			t.Errorf("more and %.40s came to %.40s", text, got)
		}
	}
	long := `"` + strings.Repeat("x", 5<<10) + `"}`
	if _, ok := stepup.Merge(`{"a":`+long, `{"b":`+long); ok {
		t.Error("the two together are longer than they may be")
	}
}

func FuzzMerge(f *testing.F) {
	for _, ex := range examples(f) {
		f.Add(ex.Claims, `{"access_token":{"xms_cc":{"values":["cp1"]}}}`)
	}
	f.Add(`{"a":{"b":[1,{"c":null}]}}`, `{"a":{"b":{"\u0061":1e9}},"<":"\ud800"}`)
	f.Add(`{"a":1,"a":2}`, `[]`)
	f.Fuzz(func(t *testing.T, base, more string) {
		got, ok := stepup.Merge(base, more)
		if !ok {
			return
		}
		if again, ok := stepup.Merge(got, more); !ok || again != got {
			t.Errorf("%q + %q = %q, and more again: %q %v", base, more, got, again, ok)
		}
		if again, ok := stepup.Merge("", got); !ok || again != got {
			t.Errorf("%q is written as %q", got, again)
		}
		want := merged(decoded(t, base), decoded(t, more))
		if have := decoded(t, got); !reflect.DeepEqual(have, want) {
			t.Errorf("%q + %q\ngot  %v\nwant %v", base, more, have, want)
		}
	})
}

// decoded is an object as encoding/json reads it.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if text == "" {
		return object
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return object
}

func merged(base, more map[string]any) map[string]any {
	for name, value := range more {
		inner, isObject := value.(map[string]any)
		if had, ok := base[name].(map[string]any); ok && isObject {
			value = merged(had, inner)
		}
		base[name] = value
	}
	return base
}
