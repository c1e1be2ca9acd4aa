package field_test

import (
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/field"
)

func TestNameIsTokenThatNetHTTPLeavesToCaller(t *testing.T) {
	for name, want := range map[string]string{
		"X-Shopify-Access-Token": "",
		"x-merchant-id":          "",
		"!#$%&'*+-.^_`|~09azAZ":  "",
		"Authorization":          "",
		"":                       "without a name",
		"X Token":                "not the name",
		"X-Token:":               "not the name",
		"X-Tök":                  "not the name",
		"X-\r\nEvil":             "not the name",
		"host":                   "Host is a header field that net/http sets",
		"Content-Length":         "net/http sets",
		"transfer-encoding":      "net/http sets",
		"Connection":             "net/http sets",
		"Trailer":                "net/http sets",
	} {
		err := field.CheckName(name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}

func TestValueHasNoControlCharactersAndNoSpaceAtItsEnds(t *testing.T) {
	for value, good := range map[string]bool{
		"":             true,
		"a b\tc":       true,
		"caf\xc3\xa9":  true,
		"a\r\nEvil: b": false,
		"a\x00":        false,
		"a\x7f":        false,
		" a":           false,
		"a\t":          false,
	} {
		err := field.CheckValue(value)
		if (err == nil) != good {
			t.Errorf("%q: %v", value, err)
		}
		if err != nil && strings.Contains(err.Error(), "Evil") {
			t.Errorf("%q: its error repeats it: %v", value, err)
		}
	}
}

func TestOneWordOfHeaderIsVisibleASCII(t *testing.T) {
	for s, want := range map[string]int{
		"": -1, "eyJ.e30~!": -1, "a b": 1, " a": 0, "ab\n": 2, "a\x00": 1, "ab\x7f": 2, "caf\xc3\xa9": 3,
	} {
		if got := field.IndexNotVisible(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}
