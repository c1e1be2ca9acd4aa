package ccclient

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// judgeBody judges a 200 with a JSON body.
func judgeBody(t *testing.T, body string) (life time.Duration, extra func(string) any, err error) {
	t.Helper()
	a := answer{200, http.Header{"Content-Type": {"application/json"}}, []byte(body), millennium.Add(time.Second)}
	tok, f := testInquiry(t).judge(a)
	if f != nil {
		return 0, nil, f
	}
	if !tok.Expiry.IsZero() {
		life = tok.Expiry.Sub(millennium)
	}
	return life, tok.Extra, nil
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
		got, _, err := judgeBody(t, `{"access_token":"abc",`+test.members+`}`)
		switch {
		case test.want == expired:
			if !errors.Is(err, ErrExpired) || !strings.HasPrefix(err.Error(), "ccclient: ") {
				t.Errorf("%s: lives %v, %v; want ErrExpired", test.members, got, err)
			}
			if f, ok := errors.AsType[*failure](err); ok && f.CoolDown().Permanent {
				t.Errorf("%s: a clock is not wrong for ever", test.members)
			}
		case err != nil || got != test.want:
			t.Errorf("%s: lives %v, %v; want %v", test.members, got, err, test.want)
		}
	}
}

func TestExpiryKeepsTheMonotonicClock(t *testing.T) {
	q := testInquiry(t)
	q.sent = time.Now()
	tok, f := q.judge(answer{200, http.Header{}, []byte(`{"access_token":"abc","expires_in":60}`), time.Now()})
	if f != nil {
		t.Fatal(f)
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
		{`"token_type":"DPoP"`, "Config.DPoPKey"},
		{`"token_type":1`, "a number"},
		{`"token_type":["Bearer"]`, "an array"},
		{`"token_type":{}`, "an object"},
		{`"token_type":true`, "a boolean"},
		{`"token_type":"s3cr:t/x"`, `"[redacted]"`},
	}
	for _, test := range tests {
		_, _, err := judgeBody(t, `{"access_token":"abc","expires_in":60,`+test.members+`}`)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v; want %s", test.members, err, test.want)
		}
	}
}

func TestATokenThatCannotGoIntoAHeaderIsRefused(t *testing.T) {
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
		_, _, err := judgeBody(t, `{"token_type":"Bearer","access_token":`+test.token+`}`)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.token, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "X-Evil") {
			t.Errorf("%v shows the token", err)
		}
	}
	if _, _, err := judgeBody(t, `{"access_token":"`+visible()+`"}`); err != nil {
		t.Errorf("all of visible ASCII: %v", err)
	}
}

// visible gives visible ASCII, less what JSON would have escaped.
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
		_, extra, err := judgeBody(t, `{"access_token":"abc","scope":`+test.scope+`}`)
		if err != nil {
			t.Errorf("%s: %v", test.scope, err)
		} else if got := extra("scope"); got != test.want {
			t.Errorf("%s gives %#v; want %#v", test.scope, got, test.want)
		}
	}
}

func TestASuccessWithNamesLikeAnErrorsIsASuccess(t *testing.T) {
	for _, members := range []string{
		`"error":""`, `"error":null`, `"error":false`, `"error":0`, `"error":{}`, `"errors":[]`, `"ok":true`,
		`"code":200,"message":"OK"`, `"status":"approved"`, `"error_code":0`, `"title":"token"`,
	} {
		if _, _, err := judgeBody(t, `{"access_token":"abc",`+members+`}`); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
	for _, members := range []string{`"error":"invalid_scope"`, `"ok":false`, `"error":true`, `"error":{"code":1}`, `"error":7`} {
		_, _, err := judgeBody(t, `{"access_token":"abc-token",`+members+`}`)
		if e, ok := errors.AsType[*Error](err); !ok || e.StatusCode != 200 {
			t.Errorf("%s: a token", members)
		}
	}
}

func TestWhateverIsInTheBodyNothingOfItIsInAnErrorButTheServersWords(t *testing.T) {
	bodies := []string{
		`{"access_token":"canary\n"}`,
		`{"access_token":"canary","token_type":"mac"}`,
		`{"access_token":"canary","expires_in":-1}`,
		`{"access_token":"canary","refresh_token":"canary","error":"invalid_scope","error_description":"for canary"}`,
		`{"access_token":"canary","token_type":"canary"}`,
		`{"access_token":"canary`,
		`{"access_token":canary}`,
		`{"canary":1}`,
		`["canary"]`,
		`canary`,
		`<html>canary</html>`,
	}
	for _, body := range bodies {
		_, _, err := judgeBody(t, body)
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(fmt.Sprintf("%+v %#v", err, err), "canary") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDeepNestingIsAnErrorNotACrash(t *testing.T) {
	for _, depth := range []int{100, 100_000} {
		body := `{"access_token":"abc","x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`
		_, _, err := judgeBody(t, body)
		if (err != nil) != (depth > 10_000) {
			t.Errorf("%d levels: %v", depth, err)
		}
	}
}

func TestRetryAfterIsReadAsSecondsOrAsADate(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"120", 2 * time.Minute},
		{"0", 0},
		{"-5", 0},
		{"1.5", 1500 * time.Millisecond},
		{"Sat, 01 Jan 2000 00:01:00 GMT", time.Minute},
		{"Saturday, 01-Jan-00 00:01:00 GMT", time.Minute}, // RFC 850
		{"Sat Jan  1 00:01:00 2000", time.Minute},         // asctime
		{"Fri, 31 Dec 1999 23:00:00 GMT", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", maxRetryAfter},
		{"99999999999999999999", maxRetryAfter},
		{"", 0},
		{"soon", 0},
		{"NaN", 0},
		{"1h", 0},
	}
	for _, test := range tests {
		if got := retryAfter(http.Header{"Retry-After": {test.value}}, millennium); got != test.want {
			t.Errorf("%q gives %v; want %v", test.value, got, test.want)
		}
	}
	if got := retryAfter(nil, millennium); got != 0 {
		t.Errorf("no header gives %v", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "Sat, 01 Jan 2000 00:01:00 GMT", "Saturday, 01-Jan-00 00:01:00 GMT", "Sat Jan  1 00:01:00 2000", "-1", "1e400", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := retryAfter(http.Header{"Retry-After": {value}}, millennium); d < 0 || d > maxRetryAfter {
			t.Errorf("%q gives %v", value, d)
		}
	})
}
