package stepup_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/stepup"
)

type example struct {
	Name   string
	Lines  []string
	Scopes []string
	Claims string
}

func examples(t testing.TB) (all []example) {
	t.Helper()
	data, err := os.ReadFile("testdata/challenges.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func parse(lines ...string) stepup.Demand {
	return stepup.Parse(http.Header{"Www-Authenticate": lines})
}

func TestChallengeAsksForWhatItNames(t *testing.T) {
	for _, ex := range examples(t) {
		t.Run(ex.Name, func(t *testing.T) {
			got := parse(ex.Lines...)
			if !slices.Equal(got.Scopes, ex.Scopes) || got.Claims != ex.Claims {
				t.Errorf("%q\ngot  %q %s\nwant %q %s", ex.Lines, got.Scopes, got.Claims, ex.Scopes, ex.Claims)
			}
			if got.Empty() != (len(ex.Scopes) == 0 && ex.Claims == "") {
				t.Errorf("Empty reports %v", got.Empty())
			}
		})
	}
}

func TestChallengeThatAsksForTooMuchAsksForNothing(t *testing.T) {
	claims := func(json string) string {
		return `Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(json)) + `"`
	}
	for name, line := range map[string]string{
		"many scopes":      `Bearer error="insufficient_scope", scope="` + numbers(33, " ") + `"`,
		"many challenges":  strings.Repeat(`Bearer error="insufficient_scope", scope="`+numbers(17, " ")+`x", `, 2) + more(17),
		"long scope":       `Bearer error="insufficient_scope", scope="` + strings.Repeat("s", 257) + `"`,
		"long claims":      claims(`{"a":"` + strings.Repeat("x", 8<<10) + `"}`),
		"deep claims":      claims(strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17)),
		"claims not UTF-8": claims("{\"a\":\"\xff\"}"),
	} {
		if got := parse(line); !got.Empty() {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for name, line := range map[string]string{
		"scopes": `Bearer error="insufficient_scope", scope="` + numbers(32, " ") + `"`,
		"scope":  `Bearer error="insufficient_scope", scope="` + strings.Repeat("s", 256) + `"`,
		"claims": claims(strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16)),
	} {
		if parse(line).Empty() {
			t.Errorf("as many %s as may be are not read", name)
		}
	}
}

// more is a challenge for n scopes that no other asks for.
func more(n int) string {
	return `DPoP error="insufficient_scope", scope="` + strings.ReplaceAll(numbers(n, " "), "s", "more") + `"`
}

func numbers(n int, separator string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("s%d", i))
	}
	return strings.Join(all, separator)
}

func FuzzParse(f *testing.F) {
	for _, ex := range examples(f) {
		f.Add(strings.Join(ex.Lines, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := parse(strings.Split(text, "\n")...)
		if len(got.Scopes) > 32 || !slices.IsSorted(got.Scopes) ||
			len(slices.Compact(slices.Clone(got.Scopes))) != len(got.Scopes) {
			t.Errorf("%q: scopes %q", text, got.Scopes)
		}
		for _, scope := range got.Scopes {
			if scope == "" || len(scope) > 256 || strings.ContainsFunc(scope, func(r rune) bool {
				return r <= ' ' || r > '~' || r == '"' || r == '\\'
			}) {
				t.Errorf("%q: illegal scope %q", text, scope)
			}
		}
		if got.Claims == "" {
			return
		}
		var object map[string]any
		err := json.Unmarshal([]byte(got.Claims), &object)
		if err != nil || len(object) == 0 || len(got.Claims) > 8<<10 {
			t.Errorf("%q: claims %q: %v", text, got.Claims, err)
		}
	})
}
