package faults_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/faults"
)

func TestEveryFaultIsNamedByItsField(t *testing.T) {
	var l faults.List
	if err := l.Err("invalid Config"); err != nil {
		t.Error(err)
	}
	l.AddError("Auth", nil)
	l.Add("ClientID", "%s", "required")
	l.AddError("TLS", fs.ErrNotExist)
	err := l.Err("invalid Config")
	if err == nil || err.Error() != "invalid Config: ClientID: required\nTLS: file does not exist" ||
		!errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestScopesAndResourcesAreHeldToTheirGrammar(t *testing.T) {
	for _, test := range []struct{ scope, resource, want string }{ // want is part of the error; empty: none
		{"read", "urn:x", ""},
		{"https://api.example.com/.default", "https://api.example.com/a?b=c", ""},
		{"!#[]~", "api://orders", ""},
		{"", "", "empty scope"},
		{"a b", "a b", "one scope an element"},
		{"a\"b", "/path", "RFC 6749, section 3.3"},
		{"a\\b", "//host/path", "RFC 6749, section 3.3"},
		{"a\tb", "%zz:", "RFC 6749, section 3.3"},
		{"ü", "https://api.example.com/#x", "RFC 6749, section 3.3"},
	} {
		err := faults.CheckScope(test.scope)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("scope %q: %v", test.scope, err)
		}
		if err := faults.CheckResource(test.resource); (err == nil) != (test.want == "") {
			t.Errorf("resource %q: %v", test.resource, err)
		}
	}
}
