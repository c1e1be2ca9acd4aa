package tokenresponse_test

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// fill repeats what is between begin and end until the whole is 1 MiB.
func fill(begin, part, end string) string {
	return begin + strings.Repeat(part, (tokenresponse.MaxBytes-len(begin)-len(end))/len(part)) + end
}

// numbered is fill with a number in each part.
func numbered(begin, part, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i := 0; b.Len() < tokenresponse.MaxBytes-len(end)-len(part)-8; i++ {
		fmt.Fprintf(&b, part, i)
	}
	b.WriteString(end)
	return b.String()
}

// hugeResponses are bodies of 1 MiB that memory suffers from if all of them is decoded.
func hugeResponses() map[string]string {
	bodies := make(map[string]string)
	for name, begin := range map[string]string{"token": `{"access_token":"abc","token_type":"Bearer",`, "none": `{`} {
		maps.Copy(bodies, map[string]string{
			name + ", members":            numbered(begin, `"%x":0,`, `"z":0}`),
			name + ", objects":            numbered(begin, `"%x":{},`, `"z":0}`),
			name + ", names with escapes": numbered(begin, `"\u0061%x":0,`, `"z":0}`),
			name + ", numbers":            fill(begin+`"x":[`, `0,`, `0]}`),
			name + ", empty objects":      fill(begin+`"x":[`, `{},`, `{}]}`),
			name + ", objects in objects": fill(begin+`"x":[`, `{"a":{"b":{}}},`, `{}]}`),
			name + ", strings":            fill(begin+`"x":[`, `"",`, `""]}`),
			name + ", depth":              begin + `"x":[` + fill("", strings.Repeat("[", 4000)+strings.Repeat("]", 4000)+",", "") + `[]]}`,
			name + ", text":               fill(begin+`"x":"`, `a`, `"}`),
			name + ", escapes":            fill(begin+`"x":"`, `\u0061`, `"}`),
			name + ", scopes":             fill(begin+`"scope":"`, `a `, `"}`),
			name + ", scope list":         fill(begin+`"scope":[`, `"a",`, `"a"]}`),
			name + ", lifetime":           fill(begin+`"expires_in":`, `9`, `}`),
			name + ", error":              fill(begin+`"error":"`, `\u0061`, `"}`),
			name + ", error object":       numbered(begin+`"error":{"code":"invalid_scope",`, `"%x":0,`, `"z":0}}`),
			name + ", error in error":     numbered(begin+`"error":{"error":{`, `"%x":0,`, `"z":0}}}`),
			name + ", description":        fill(begin+`"error":"invalid_scope","error_description":"`, `\u0061`, `"}`),
			name + ", errors":             fill(begin+`"errors":[{"code":"invalid_scope"},`, `{},`, `{}]}`),
			name + ", one error":          numbered(begin+`"errors":[{"code":"invalid_scope",`, `"%x":0,`, `"z":0}]}`),
			name + ", fault":              numbered(begin+`"fault":{"faultstring":"x",`, `"%x":{},`, `"z":0}}`),
			name + ", white space":        fill(begin, " ", `"z":0}`),
			name + ", cut short":          fill(begin+`"x":[`, `0,`, ``),
			name + ", broken":             fill(begin+`"x":[`, `0,`, `}`),
		})
	}
	for _, begin := range []string{"access_token=abc", "error=invalid_scope"} {
		maps.Copy(bodies, map[string]string{
			"form, parameters, " + begin: numbered(begin, "&%x", ""),
			"form, text, " + begin:       fill(begin+"&x=", "%61", ""),
			"form, ampersands, " + begin: fill(begin, "&", ""),
			"form, scopes, " + begin:     fill(begin+"&scope=", "a+", ""),
		})
	}
	bodies["long token"] = fill(`{"access_token":"`, `a`, `"}`)
	bodies["page"] = fill(`<html><title>`, `&amp;`, `</title>`)
	bodies["text"] = fill("", `a`, ``)
	return bodies
}

func TestHugeResponseCostsMemoryOfItsOrder(t *testing.T) {
	for name, body := range hugeResponses() {
		if len(body) > tokenresponse.MaxBytes || len(body) < tokenresponse.MaxBytes-10_000 {
			t.Fatalf("%s: %d bytes", name, len(body))
		}
		r := tokenresponse.Response{Status: 200, Body: []byte(body), Received: millennium}
		if strings.HasPrefix(name, "form") {
			r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		}
		var tok *oauth2.Token
		var refused bool
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m, err := r.Members()
		if err == nil {
			if _, refused = m.Refusal(); !refused {
				tok, err = m.Token(millennium, millennium, false)
			}
		}
		runtime.ReadMemStats(&after)
		spent := after.TotalAlloc - before.TotalAlloc
		runtime.GC()
		runtime.ReadMemStats(&after)
		held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		t.Logf("%-40s %8d KiB spent, %6d KiB held, refused %v, %.60v", name, spent>>10, held>>10, refused, err)
		if spent > 8*tokenresponse.MaxBytes || held > 3*tokenresponse.MaxBytes {
			t.Errorf("%s: %d KiB spent, %d KiB held", name, spent>>10, held>>10)
		}
		runtime.KeepAlive(m)
		runtime.KeepAlive(tok)
	}
}

func TestExtrasAreBoundedAndNeverCut(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	body := `{"access_token":"abc","deep":` + deep + `,"large":"` + strings.Repeat("x", 60<<10) + `","larger":"` + strings.Repeat("x", 60<<10) +
		`","small":"y","twice":1,"twice":{"a":[2]}` + numbered(``, `,"n%d":0`, `,"scope":"read write","refresh_in":30,"expires_in":60}`)
	life, tok, err := readToken(body, false)
	if err != nil || life != time.Minute {
		t.Fatal(life, err)
	}
	for name, want := range map[string]any{
		"scope": "read write", "refresh_in": 30.0, "small": "y", "n9": 0.0, "deep": nil, "larger": nil, "n99999": nil,
	} {
		if got := tok.Extra(name); got != want {
			t.Errorf("Extra(%q) is %.40v; want %v", name, got, want)
		}
	}
	if got, _ := tok.Extra("large").(string); len(got) != 60<<10 {
		t.Errorf("%d bytes of an extra", len(got))
	}
	if got := fmt.Sprint(tok.Extra("twice")); got != "map[a:[2]]" {
		t.Errorf("of two, %s counts", got)
	}
	kept := 0
	for i := range 100_000 {
		if tok.Extra(fmt.Sprint("n", i)) != nil {
			kept++
		}
	}
	if kept == 0 || kept > tokenresponse.MaxExtras {
		t.Errorf("%d extras", kept)
	}
}

func TestWhatTheTokenIsCountsWhateverItsSize(t *testing.T) {
	for name, body := range map[string]string{
		"type":              fill(`{"access_token":"abc","token_type":"`, `x`, `"}`),
		"type, as a list":   fill(`{"access_token":"abc","token_type":[`, `0,`, `0]}`),
		"type, at the end":  numbered(`{"access_token":"abc"`, `,"%x":0`, `,"token_type":"mac"}`),
		"type, in a form":   fill(`access_token=abc&token_type=`, `x`, ``),
		"expired":           numbered(`{"access_token":"abc"`, `,"%x":0`, `,"expires_in":-1}`),
		"expired long ago":  fill(`{"access_token":"abc","expires_in":-`, `9`, `}`),
		"error, at the end": numbered(`{"access_token":"abc"`, `,"%x":0`, `,"error":"invalid_scope"}`),
		"not ok":            numbered(`{"access_token":"abc"`, `,"%x":0`, `,"ok":false}`),
	} {
		m, err := tokenresponse.Response{Status: 200, Body: []byte(body)}.Members()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, refused := m.Refusal(); refused {
			continue
		}
		if tok, err := m.Token(millennium, millennium, false); err == nil {
			t.Errorf("%s: a token of type %q", name, tok.TokenType)
		}
	}
}

func TestHugeExplanationsStillExplain(t *testing.T) {
	for _, test := range []struct{ body, code, description string }{
		{fill(`{"error":"invalid_scope","error_description":"not yours: `, `a`, `"}`), "invalid_scope", "not yours: aaa"},
		{numbered(`{"error":{"x":{`, `"%x":0,`, `"z":0},"code":"invalid_scope","message":"not yours"}}`), "invalid_scope", "not yours"},
		{fill(`{"errors":[{"code":"invalid_scope","message":"not yours"},`, `{},`, `{}]}`), "invalid_scope", "not yours"},
		{fill(`{"errors":[{"code":"invalid_scope","message":"`, `a`, `"}]}`), "invalid_scope", "aaa"},
		{numbered(`{"fault":{"detail":{"errorcode":"a.b","x":[`, `%d,`, `0]},"faultstring":"not yours"}}`), "a.b", "not yours"},
		{fill(`{"access_token":"abc","error":"`, `a`, `"}`), "", "aaa"},
		{numbered(`{"access_token":"abc","error":{"x":{`, `"%x":0,`, `"z":0}}}`), "", ""},
	} {
		m, err := tokenresponse.Response{Status: 200, Body: []byte(test.body)}.Members()
		if err != nil {
			t.Errorf("%.60s: %v", test.body, err)
			continue
		}
		r, refused := m.Refusal()
		if !refused || r.Code != test.code || !strings.HasPrefix(r.Description, test.description) ||
			len(r.Description) > 5000 {
			t.Errorf("%.60s: %v, %q, %.60q", test.body, refused, r.Code, r.Description)
		}
	}
}

func TestCodeIsWordOrNone(t *testing.T) {
	for code, plausible := range map[string]bool{
		"invalid_client": true, "E0000006": true, "policies.ratelimit.QuotaViolation": true, "-1": true, strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false, "invalid client": false, "p&ss": false, "https://as.example.com/errors/1": false, "größe": false,
		"a\u202eb": false, "a\u200bb": false, "%61": false, "a\x00": false, "client:secret": false, "YWJj+/==": false,
	} {
		m := tokenresponse.Members{"error": code}
		r, refused := m.Refusal()
		want := tokenresponse.Refusal{Code: code}
		if !plausible {
			want = tokenresponse.Refusal{Description: code}
		}
		if !refused || r != want {
			t.Errorf("%q: %+v", code, r)
		}
	}
}

func TestTokenOfFormKeepsNothingElseInMemory(t *testing.T) {
	var toks []*oauth2.Token
	var before, after runtime.MemStats
	body := fill("access_token=abc&scope=a+b&y=z&x=", "%61", "")
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 10 {
		m, err := tokenresponse.Response{Status: 200, Body: []byte(body)}.Members()
		if err != nil {
			t.Fatal(err)
		}
		tok, err := m.Token(millennium, millennium, false)
		if err != nil {
			t.Fatal(err)
		}
		toks = append(toks, tok)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > tokenresponse.MaxBytes {
		t.Errorf("ten tokens hold %d KiB", held>>10)
	}
	runtime.KeepAlive(toks)
}
