package tokenresponse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/seconds"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// readToken reads the token in a JSON body that came a second after its request.
func readToken(body string, dpop bool) (life time.Duration, tok *oauth2.Token, err error) {
	m, err := tokenresponse.Response{Status: 200, Body: []byte(body)}.Members()
	if err != nil {
		return 0, nil, err
	}
	tok, err = m.Token(millennium, millennium.Add(time.Second), dpop)
	if err == nil && !tok.Expiry.IsZero() {
		life = tok.Expiry.Sub(millennium)
	}
	return life, tok, err
}

func TestLifetimesAreReadAsServersWriteThem(t *testing.T) {
	const unknown, expired = 0, -1
	hour := millennium.Add(time.Hour).Unix()
	tests := []struct {
		members string
		want    time.Duration
	}{
		{`"expires_in":3600`, time.Hour},
		{`"expires_in":"3600"`, time.Hour},
		{`"expires_in":" 3600 "`, time.Hour},
		{`"expires_in":3.6e3`, time.Hour},
		{`"expires_in":2.5`, 2500 * time.Millisecond},
		{`"expires_in":"2.5"`, 2500 * time.Millisecond},
		{`"other":1`, unknown},
		{`"expires_in":null`, unknown},
		{`"expires_in":0`, unknown},
		{`"expires_in":"0"`, unknown},
		{`"expires_in":""`, unknown},
		{`"expires_in":"soon"`, unknown},
		{`"expires_in":true`, unknown},
		{`"expires_in":[3600]`, unknown},
		{`"expires_in":{"seconds":3600}`, unknown},
		{`"expires_in":-1`, expired},
		{`"expires_in":"-1"`, expired},
		{`"expires_in":-1e400`, expired},
		{`"expires_in":1`, expired}, // the answer took a second
		{`"expires_in":1.001`, 1001 * time.Millisecond},
		{`"expires_in":1e18`, seconds.Max},
		{`"expires_in":1e400`, seconds.Max},
		{`"expires_in":9223372036854775807`, seconds.Max},
		{`"expires_in":"99999999999999999999999999"`, seconds.Max},

		{fmt.Sprintf(`"expires_on":%d`, hour), time.Hour},
		{fmt.Sprintf(`"expires_on":"%d"`, hour), time.Hour},
		{fmt.Sprintf(`"expires_on":%d`, hour*1000), time.Hour},
		{fmt.Sprintf(`"expires_on":"%d"`, hour*1000), time.Hour},
		{`"expires_on":"2000-01-01T01:00:00Z"`, time.Hour},
		{`"expires_on":"2000-01-01T03:00:00.000+02:00"`, time.Hour},
		{`"expires_on":"01/01/2000 01:00:00 +00:00"`, time.Hour},
		{`"expires_on":"1/1/2000 1:00:00 AM +00:00"`, time.Hour},
		{`"expires_on":"1/1/2000 1:00:00 PM +00:00"`, 13 * time.Hour},
		{`"expires_on":1e400`, seconds.Max},
		{`"expires_on":0`, unknown},
		{`"expires_on":-5`, unknown},
		{`"expires_on":"never"`, unknown},
		{`"expires_on":null`, unknown},
		{fmt.Sprintf(`"expires_on":%d`, millennium.Unix()), expired},
		{fmt.Sprintf(`"expires_on":%d`, millennium.Unix()-5), expired},
		{`"expires_on":"1999-12-31T23:59:59Z"`, expired},

		{fmt.Sprintf(`"expires_in":60,"expires_on":%d`, hour), time.Minute},
		{fmt.Sprintf(`"expires_in":0,"expires_on":%d`, hour), time.Hour},
		{fmt.Sprintf(`"expires_in":"?","expires_on":%d`, hour), time.Hour},
		{`"expires_in":60,"expires_in":120`, 2 * time.Minute}, // the last one counts
	}
	for _, test := range tests {
		got, _, err := readToken(`{"access_token":"abc",`+test.members+`}`, false)
		switch {
		case test.want == expired:
			if !errors.Is(err, tokenresponse.ErrExpired) {
				t.Errorf("%s: lives %v, %v; want ErrExpired", test.members, got, err)
			}
		case err != nil || got != test.want:
			t.Errorf("%s: lives %v, %v; want %v", test.members, got, err, test.want)
		}
	}
}

func TestExpiryKeepsTheMonotonicClock(t *testing.T) {
	now := time.Now()
	tok, err := tokenresponse.Members{"access_token": "abc", "expires_in": 60.0}.Token(now, now, false)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(tok.Expiry.String(), " m=") {
		t.Errorf("%v has no monotonic reading", tok.Expiry)
	}
}

func TestOnlyTokenTypesThatAreUnderstoodAreTaken(t *testing.T) {
	tests := []struct{ members, want string }{ // want "" means taken as Bearer
		{`"token_type":"Bearer"`, ""},
		{`"token_type":"bearer"`, ""},
		{`"token_type":"BEARER"`, ""},
		{`"token_type":" Bearer "`, ""},
		{`"token_type":""`, ""},
		{`"token_type":null`, ""},
		{`"other":0`, ""},
		{`"token_type":"BearerToken"`, ""},
		{`"token_type":"Application Access Token"`, ""},
		{`"token_type":"mac"`, `"mac"`},
		{`"token_type":"N_A"`, `"N_A"`},
		{`"token_type":"pop"`, `"pop"`},
		{`"token_type":"DPoP"`, "without a key"},
		{`"token_type":1`, "a number"},
		{`"token_type":["Bearer"]`, "an array"},
		{`"token_type":{}`, "an object"},
		{`"token_type":true`, "a boolean"},
	}
	for _, test := range tests {
		_, _, err := readToken(`{"access_token":"abc","expires_in":60,`+test.members+`}`, false)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v; want %s", test.members, err, test.want)
		}
	}
}

func TestDPoPTokensAreTakenIfAndOnlyIfAskedFor(t *testing.T) {
	for members, want := range map[string]struct{ asked, notAsked error }{
		`"token_type":"DPoP"`:   {nil, tokenresponse.ErrNeedsKey},
		`"token_type":"dpop"`:   {nil, tokenresponse.ErrNeedsKey},
		`"token_type":"Bearer"`: {tokenresponse.ErrNotBound, nil},
		`"other":0`:             {tokenresponse.ErrNotBound, nil},
		`"token_type":"mac"`:    {tokenresponse.UnknownType{Name: "mac"}, tokenresponse.UnknownType{Name: "mac"}},
	} {
		_, tok, err := readToken(`{"access_token":"abc",`+members+`}`, true)
		if err != want.asked || err == nil && tok.TokenType != "DPoP" {
			t.Errorf("%s, DPoP asked for: %v", members, err)
		}
		_, tok, err = readToken(`{"access_token":"abc",`+members+`}`, false)
		if err != want.notAsked || err == nil && tok.TokenType != "Bearer" {
			t.Errorf("%s: %v", members, err)
		}
	}
}

func TestMembersAreWholeAfterAnError(t *testing.T) {
	m := tokenresponse.Members{"access_token": "abc", "refresh_token": "def", "id_token": "ghi", "expires_in": -1.0}
	if _, err := m.Token(millennium, millennium, false); err == nil || strings.Join(m.Tokens(), " ") != "abc def ghi" {
		t.Errorf("%v, %q", err, m.Tokens())
	}
}

func TestTokenThatCannotGoIntoHeadersIsRefused(t *testing.T) {
	tests := []struct{ token, want string }{
		{`"abc\r\nX-Evil: 1"`, "byte 3 is 0x0D"},
		{`"abc\n"`, "byte 3 is 0x0A"},
		{`"a\u0000b"`, "byte 1 is 0x00"},
		{`"a b"`, "byte 1 is 0x20"},
		{`" ab"`, "byte 0 is 0x20"},
		{`"a\tb"`, "byte 1 is 0x09"},
		{`"a\u007fb"`, "byte 1 is 0x7F"},
		{`"abcé"`, "byte 3 is 0xC3"},
		{"\"ab\xff\"", "byte 2 is 0xEF"}, // U+FFFD by then
		{`""`, "empty"},
		{`null`, "no access_token"},
		{`123`, "a number"},
		{`true`, "a boolean"},
		{`["abc"]`, "an array"},
		{`{"value":"abc"}`, "an object"},
	}
	for _, test := range tests {
		_, _, err := readToken(`{"token_type":"Bearer","access_token":`+test.token+`}`, false)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.token, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "X-Evil") {
			t.Errorf("%v shows the token", err)
		}
	}
	if _, _, err := readToken(`{"access_token":"`+visible()+`"}`, false); err != nil {
		t.Errorf("all of visible ASCII: %v", err)
	}
}

// visible returns visible ASCII, less what JSON would have escaped.
func visible() string {
	var b strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		if c != '"' && c != '\\' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func TestGrantedScopesAreSeparatedBySpaces(t *testing.T) {
	tests := []struct {
		scope string
		want  any
	}{
		{`"read write"`, "read write"},
		{`"read"`, "read"},
		{`" read  write "`, "read write"},
		{`"read,write"`, "read write"},
		{`"read, write"`, "read write"},
		{`"a,b c"`, "a,b c"},
		{`"https://x.example/a https://x.example/b"`, "https://x.example/a https://x.example/b"},
		{`["read","write"]`, "read write"},
		{`["read write","admin"]`, "read write admin"},
		{`["read",7,null]`, "read"},
		{`[]`, ""},
		{`""`, ""},
		{`null`, nil},
		{`7`, nil},
		{`{"read":true}`, nil},
	}
	for _, test := range tests {
		_, tok, err := readToken(`{"access_token":"abc","scope":`+test.scope+`}`, false)
		if err != nil {
			t.Errorf("%s: %v", test.scope, err)
		} else if got := tok.Extra("scope"); got != test.want {
			t.Errorf("%s gives %#v; want %#v", test.scope, got, test.want)
		}
	}
}

func TestDeepNestingIsAnErrorNotACrash(t *testing.T) {
	for _, depth := range []int{100, 100_000} {
		body := `{"access_token":"abc","x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`
		_, _, err := readToken(body, false)
		if (err != nil) != (depth > 10_000) {
			t.Errorf("%d levels: %v", depth, err)
		}
	}
}
