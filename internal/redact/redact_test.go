package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/internal/redact"
)

// secret has characters that each escape changes, and some that look like one.
const secret = "p&ss/wörd+<canary>\"it's 100%7E\\n"

// An escape is a way in which a server may write what it repeats.
type escape struct {
	name  string
	write func(string) string
}

// each returns an escape of each byte.
func each(format string) func(string) string {
	return func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, format, s[i])
		}
		return b.String()
	}
}

// eachRune returns an escape of each character.
func eachRune(format string) func(string) string {
	return func(s string) string {
		var b strings.Builder
		for _, c := range s {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
}

func jsonString(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

// plainJSON is what encoders write that escape no more than they must, but "/".
func plainJSON(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "/", `\/`).Replace(s)
}

// within returns base64 of s in the middle of something, which begins with n bytes.
func within(enc *base64.Encoding, n int) func(string) string {
	return func(s string) string { return enc.EncodeToString([]byte(strings.Repeat("\x01", n) + s + "\x02\x03")) }
}

// readable reports whether what inner and then outer wrote can be read at all.
func readable(outer, inner escape) bool {
	return outer.name != "upper case" || !strings.Contains(inner.name, "base64") && inner.name != "HTML, by name"
}

func lines(s string) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%8 == 0 {
			b.WriteString("\r\n ")
		}
		b.WriteRune(c)
	}
	return b.String()
}

var escapes = []escape{
	{"as it is", func(s string) string { return s }},
	{"upper case", strings.ToUpper},
	{"form", url.QueryEscape},
	{"path", url.PathEscape},
	{"percent, lower case", each("%%%02x")},
	{"percent, upper case", each("%%%02X")},
	{"percent, of old scripts", eachRune("%%u%04x")},
	{"JSON", jsonString},
	{"JSON, with slashes", plainJSON},
	{"JSON, each", eachRune(`\u%04x`)},
	{"JSON, each in upper case", eachRune(`\u%04X`)},
	{"JavaScript", eachRune(`\u{%x}`)},
	{"Go", func(s string) string { return strings.Trim(fmt.Sprintf("%+q", s), `"`) }},
	{"C", each(`\x%02x`)},
	{"octal", each(`\%03o`)},
	{"HTML", html.EscapeString},
	{"HTML, by name", func(s string) string {
		return strings.NewReplacer("&", "&amp;", "/", "&sol;", "+", "&plus;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;", "%", "&percnt;", "ö", "&ouml;", `\`, "&bsol;").Replace(s)
	}},
	{"HTML, without semicolons", func(s string) string {
		return strings.NewReplacer("&", "&amp", "<", "&lt", ">", "&gt", `"`, "&#34").Replace(s)
	}},
	{"XML, decimal", eachRune("&#%d;")},
	{"XML, hexadecimal", eachRune("&#x%x;")},
	{"XML, hexadecimal in upper case", eachRune("&#x%X;")},
	{"hex", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"hex, upper case", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{"hex, with colons", func(s string) string { return strings.TrimSuffix(each("%02x:")(s), ":") }},
	{"hex, with spaces", func(s string) string { return strings.TrimSpace(each("%02x ")(s)) }},
	{"hex, as in C", func(s string) string { return strings.TrimSuffix(each("0x%02x, ")(s), ", ") }},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64, in lines", func(s string) string { return lines(base64.StdEncoding.EncodeToString([]byte(s))) }},
	{"base64, raw", within(base64.RawStdEncoding, 0)},
	{"base64 at 1", within(base64.StdEncoding, 1)},
	{"base64 at 2", within(base64.StdEncoding, 2)},
	{"base64url", func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }},
	{"base64url, raw", within(base64.RawURLEncoding, 0)},
	{"base64url at 1", within(base64.RawURLEncoding, 1)},
	{"base64url at 2", within(base64.RawURLEncoding, 2)},
	{"invisible characters", func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") }},
	{"line breaks", func(s string) string { return strings.Join(strings.Split(s, ""), "\r\n") }},
}

// leak returns a run of eight characters of s that is in text, in one of the ways in which a byte or a character is
// written alone; empty if there is none.
func leak(text, s string) string {
	runes := []rune(s)
	for i := 0; i+redact.MinRun <= len(runes); i++ {
		run := string(runes[i : i+redact.MinRun])
		for _, write := range escapes {
			// What base64 makes of a run depends on its neighbours at both ends.
			if written := write.write(run); !strings.HasPrefix(write.name, "base64") &&
				strings.Contains(text, written) {
				return fmt.Sprintf("%q (%s)", run, write.name)
			}
		}
		for at := range 3 {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", at) + run + "\x00\x00\x00"))
			encoded = encoded[(8*at+5)/6 : 8*(at+len(run))/6]
			if strings.Contains(text, encoded) ||
				strings.Contains(text, strings.NewReplacer("+", "-", "/", "_").Replace(encoded)) {
				return fmt.Sprintf("%q (base64 at %d)", run, at)
			}
		}
	}
	return ""
}

func TestSecretIsHiddenInEveryEscape(t *testing.T) {
	r := redact.New("", secret)
	parts := map[string]string{"all": secret, "begin": "p&ss/wör", "middle": `nary>"it's 100%7E`, "end": `100%7E\n`}
	for _, e := range escapes {
		for name, part := range parts {
			text := "error: the secret \"" + e.write(part) + "\" is wrong!"
			if got := r.Hide(text); !strings.HasPrefix(got, `error: the secret "`) || !strings.HasSuffix(got, `" is wrong!`) ||
				!strings.Contains(got, redact.Redacted) || leak(got, part) != "" || len(got) > 60 {
				t.Errorf("%s, %s: %q becomes %q", e.name, name, text, got)
			}
		}
	}
}

func TestSecretIsHiddenInEscapesWithinEscapes(t *testing.T) {
	r := redact.New(secret)
	for _, outer := range escapes {
		for _, inner := range escapes {
			if !readable(outer, inner) {
				continue
			}
			text := "error: " + outer.write(inner.write(secret)) + " is wrong!"
			got := r.Hide(text)
			if len(text) <= 2000 && (!strings.HasPrefix(got, "error: ") || !strings.HasSuffix(got, " is wrong!")) ||
				!strings.Contains(got, redact.Redacted) ||
				leak(got, secret) != "" || len(got) > 80 {
				t.Errorf("%s in %s: %q becomes %q", inner.name, outer.name, text, got)
			}
		}
	}
	thrice := url.QueryEscape(url.QueryEscape(url.QueryEscape(secret)))
	if got := r.Hide("got " + thrice); got != "got "+redact.Redacted {
		t.Errorf("%q", got)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("client:"+url.QueryEscape(secret)))
	if got := r.Hide(jsonString(html.EscapeString(`"` + basic + `"`))); leak(got, secret) != "" || strings.Contains(got, basic[len(basic)-30:]) {
		t.Errorf("%q", got)
	}
}

func TestShortRunsAndOrdinaryWordsStay(t *testing.T) {
	r := redact.New("secret", "canary-of-the-client-0123456789", "short12")
	for _, text := range []string{
		"invalid_secret", "secret", "short12", "bad canary- given", "the-clie", "0123456", "",
		"The client secret provided is wrong, expired or not yet valid.", "read write openid profile",
		"https://as.example.com/realms/main/protocol/openid-connect/token?client=a%20b&x=1",
		"AADSTS7000215: Invalid client secret provided.", strings.Repeat("word and word ", 140),
		"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9", "de305d54-75b4-431b-adb2-eb6b9e546014", "%zz &nosuch; \\q \\u12 &#; %",
	} {
		if got := r.Hide(text); got != text && text != "the-clie" || r.Holds(text) != (text == "the-clie") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	if got := redact.New("").Hide("as it is"); got != "as it is" {
		t.Errorf("%q", got)
	}
	// Eight characters, not eight bytes.
	r = redact.New("ääääääöö")
	if got := r.Hide("äääääöö"); got != "äääääöö" {
		t.Errorf("%q", got)
	}
	if got := r.Hide("x ääääääöö"); got != "x "+redact.Redacted {
		t.Errorf("%q", got)
	}
}

func TestWhatIsLeftIsLeftAlone(t *testing.T) {
	r := redact.New("canary-canary-1", "canary-canary-22")
	for text, want := range map[string]string{
		"a canary-canary-1b canary-canary-22c": "a [redacted]b [redacted]c",
		"canary-canary-1canary-canary-22":      "[redacted]",
		"canary-canary-canary-canary-1":        "[redacted]",
		"%63anary-canar%79 &amp; %41":          "[redacted] &amp; %41",
	} {
		if got := r.Hide(text); got != want {
			t.Errorf("%q becomes %q; want %q", text, got, want)
		}
	}
}

func TestSecretThatServersDecodeTooOftenIsHidden(t *testing.T) {
	r := redact.New("a%2Fb%2Bc+d%3De%26f")
	for _, text := range []string{"a%2Fb%2Bc+d%3De%26f", "a/b+c d=e&f", "a%2Fb%2Bc d%3De%26f"} {
		if got := r.Hide(text); got != redact.Redacted {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestHugeTextsAndSecretsCostLittle(t *testing.T) {
	huge := strings.Repeat("canary-of-a-token-0123456789.", 1<<20/29)
	for name, text := range map[string]string{
		"words": strings.Repeat("word and word ", 80_000), "percent": strings.Repeat("%25", 300_000), "one": strings.Repeat("a", 1<<20),
		"backslashes": strings.Repeat(`\`, 1<<20), "hex": strings.Repeat("25", 1<<19), "ampersands": strings.Repeat("&amp;%26\\u0026+", 70_000), "secret": huge,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		redact.New(huge, "another secret").Clean(text)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 40<<20 {
			t.Errorf("%s: %d MiB for a text of 1 MiB and a secret of 1 MiB", name, spent>>20)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	redact.New("a secret of the usual size").Clean("The client secret provided is wrong, expired or not yet valid.")
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 256<<10 {
		t.Errorf("%d KiB for a text of the usual size", spent>>10)
	}
}

func FuzzHide(f *testing.F) {
	for i := range escapes {
		f.Add(secret, "error: ", " is wrong", uint8(i), uint8(3*i))
	}
	f.Add("client:s3cr:t/x", "Basic ", "", uint8(0), uint8(26))
	f.Add("ababababab", "ababa \xff\x00", "%", uint8(9), uint8(2))
	f.Fuzz(func(t *testing.T, secret, before, after string, outer, inner uint8) {
		secret = strings.ToValidUTF8(secret, "")
		if utf8.RuneCountInString(secret) < redact.MinRun || strings.ContainsRune(redact.Redacted, []rune(secret)[0]) {
			return // nothing is hidden, or what is hidden cannot be told from what stands for it
		}
		r := redact.New(secret)
		o, i := escapes[int(outer)%len(escapes)], escapes[int(inner)%len(escapes)]
		if !readable(o, i) {
			return
		}
		text := before + o.write(i.write(secret)) + after
		got := r.Hide(text)
		if found := leak(got, secret); found != "" && !strings.Contains(redact.Redacted, secret) {
			t.Errorf("%s in %s: %s is in %q, of %q", i.name, o.name, found, got, text)
		}
		if r.Holds(got) && got != redact.Redacted {
			t.Errorf("%q holds a secret still", got)
		}
		// What shares nothing with the secret stays.
		other := strings.Map(func(c rune) rune {
			if strings.ContainsRune(strings.ToLower(secret)+strings.ToUpper(secret)+secret, c) || c == '%' ||
				c == '\\' || c == '&' {
				return -1
			}
			return c
		}, strings.ToValidUTF8(before, ""))
		if len(other) < 11 && r.Hide(other) != other {
			t.Errorf("%q becomes %q", other, r.Hide(other))
		}
	})
}

func BenchmarkClean(b *testing.B) {
	for name, text := range map[string]string{
		"words":  "The client secret provided is wrong, expired or not yet valid.",
		"echo":   "got " + url.QueryEscape(secret) + ", which is wrong",
		"escape": strings.Repeat("word%20&amp;\\u0026 + ", 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				redact.New(secret, strings.Repeat("token-0123456789", 60)).Clean(text)
			}
		})
	}
}
