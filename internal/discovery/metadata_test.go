package discovery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestWellKnownPlaces(t *testing.T) {
	for _, tc := range []struct {
		issuer       string
		insecureHTTP bool
		oauth, oidc  string
		fault        string // a part of the error; the places are not asked for then
	}{
		// The examples of RFC 8414, section 3.1, and OpenID Connect Discovery 1.0, section 4.1.
		{issuer: "https://example.com",
			oauth: "https://example.com/.well-known/oauth-authorization-server",
			oidc:  "https://example.com/.well-known/openid-configuration"},
		{issuer: "https://example.com/issuer1",
			oauth: "https://example.com/.well-known/oauth-authorization-server/issuer1",
			oidc:  "https://example.com/issuer1/.well-known/openid-configuration"},
		{issuer: "https://example.com/",
			oauth: "https://example.com/.well-known/oauth-authorization-server",
			oidc:  "https://example.com/.well-known/openid-configuration"},
		{issuer: "https://example.com:8443/a/b/",
			oauth: "https://example.com:8443/.well-known/oauth-authorization-server/a/b",
			oidc:  "https://example.com:8443/a/b/.well-known/openid-configuration"},
		{issuer: "https://example.com/a%2Fb",
			oauth: "https://example.com/.well-known/oauth-authorization-server/a%2Fb",
			oidc:  "https://example.com/a%2Fb/.well-known/openid-configuration"},
		{issuer: "http://localhost:8080/realms/x",
			oauth: "http://localhost:8080/.well-known/oauth-authorization-server/realms/x",
			oidc:  "http://localhost:8080/realms/x/.well-known/openid-configuration"},
		{issuer: "http://[::1]:8080",
			oauth: "http://[::1]:8080/.well-known/oauth-authorization-server",
			oidc:  "http://[::1]:8080/.well-known/openid-configuration"},
		{issuer: "http://as.internal", insecureHTTP: true,
			oauth: "http://as.internal/.well-known/oauth-authorization-server",
			oidc:  "http://as.internal/.well-known/openid-configuration"},

		{issuer: "", fault: "empty"},
		{issuer: "as.example.com", fault: "not an absolute https URL"},
		{issuer: "urn:example:as", fault: "not an absolute https URL"},
		{issuer: "https://", fault: "without a host"},
		{issuer: "https://as.example.com?tenant=1", fault: "no query"},
		{issuer: "https://as.example.com#", fault: "no fragment"},
		{issuer: "https://user:canary@as.example.com", fault: "user name or password"},
		{issuer: "https://user:canary@as.example.com/%zz", fault: "not a URL"},
		{issuer: "http://as.example.com", fault: `http:// to host "as.example.com"`},
		{issuer: "http://127.0.0.1.example.com", fault: "only https"},
		{issuer: "http://LocalHost", fault: "only https"}, // which net/http sends to a proxy
		{issuer: "http://localhost.", fault: "only https"},
	} {
		places, err := wellKnown(tc.issuer, tc.insecureHTTP)
		if tc.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fault) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%q: error %v, want one about %q", tc.issuer, err, tc.fault)
			}
			continue
		}
		inserted := strings.Replace(tc.oauth, "oauth-authorization-server", "openid-configuration", 1)
		want := slices.Compact([]string{tc.oauth, inserted, tc.oidc})
		if err != nil || !slices.Equal(places, want) {
			t.Errorf("%q: %q, %v, want %q", tc.issuer, places, err, want)
		}
	}
}

func TestMetadataDocuments(t *testing.T) {
	const issuer = "https://as.example.com"
	const token = `"token_endpoint":"https://as.example.com/token"`
	const head = `{"issuer":"https://as.example.com",` + token
	long := strings.Repeat("a", 5000)
	for name, tc := range map[string]struct{ doc, fault string }{
		"least":                     {head + `}`, ""},
		"unknown members":           {head + `,"x":{"y":[1]},"service_documentation":null}`, ""},
		"lists of another shape":    {head + `,"token_endpoint_auth_methods_supported":"client_secret_basic","grant_types_supported":[1]}`, ""},
		"null lists":                {head + `,"token_endpoint_auth_methods_supported":null}`, ""},
		"aliases of another shape":  {head + `,"mtls_endpoint_aliases":[]}`, ""},
		"aliases without the token": {head + `,"mtls_endpoint_aliases":{"revocation_endpoint":"https://m/r"}}`, ""},
		"another host's endpoint":   {`{"issuer":"https://as.example.com","token_endpoint":"https://tokens.example.net/t?v=2"}`, ""},

		"empty":                {``, "not a JSON object"},
		"HTML":                 {`<!doctype html><p>Welcome`, "not a JSON object"},
		"null":                 {`null`, "not a JSON object"},
		"array":                {`[]`, "not a JSON object"},
		"truncated":            {head, "not a JSON object"},
		"two documents":        {head + `}{}`, "not a JSON object"},
		"no issuer":            {`{` + token + `}`, "no issuer"},
		"issuer of wrong type": {`{"issuer":["https://as.example.com"],` + token + `}`, "issuer is not a string"},
		"issuer in another case": {`{"issuer":"https://AS.example.com",` + token + `}`,
			`of issuer "https://AS.example.com"`},
		"issuer with a slash":  {`{"issuer":"https://as.example.com/",` + token + `}`, `of issuer "https://as.example.com/"`},
		"issuer, another name": {`{"Issuer":"https://as.example.com",` + token + `}`, "no issuer"},
		"another, long issuer": {`{"issuer":"https://` + long + `",` + token + `}`, "aaa…"},
		"no token endpoint":    {`{"issuer":"https://as.example.com"}`, "no token_endpoint"},
		"null token endpoint": {`{"issuer":"https://as.example.com","token_endpoint":null}`,
			"token_endpoint is not a string, or empty"},
		"relative token endpoint": {`{"issuer":"https://as.example.com","token_endpoint":"/token"}`,
			"not an absolute https URL"},
		"endpoint without TLS": {`{"issuer":"https://as.example.com","token_endpoint":"http://as.example.com/token"}`,
			"the issuer is https"},
		"endpoint with fragment": {`{"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/token#"}`, "fragment"},
		"endpoint with password": {`{"issuer":"https://as.example.com","token_endpoint":"https://u:p@as.example.com/token"}`, "password"},
		"endpoint not a URL": {`{"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/%zz"}`,
			"not a URL"},
		"alias without TLS": {head + `,"mtls_endpoint_aliases":{"token_endpoint":"http://m.example.com/t"}}`,
			"mtls_endpoint_aliases"},
		"alias of wrong type": {head + `,"mtls_endpoint_aliases":{"token_endpoint":7}}`, "mtls_endpoint_aliases"},
	} {
		m, err := parse([]byte(tc.doc), issuer, false)
		switch {
		case tc.fault == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.fault == "" && (m.AuthMethods != nil || m.GrantTypes != nil || m.MTLSTokenEndpoint != ""):
			t.Errorf("%s: %+v", name, m)
		case tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
			t.Errorf("%s: error %v, want one about %q", name, err, tc.fault)
		case tc.fault != "" && len(err.Error()) > 400:
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestHTTPSIssuerNamesNoHTTPEndpoint(t *testing.T) {
	for _, tc := range []struct {
		issuer, endpoint string
		insecureHTTP     bool
		good             bool
	}{
		{"https://as.example.com", "https://other.example/token", false, true},
		{"https://as.example.com", "http://localhost:8080/token", false, false},
		{"https://as.example.com", "http://127.0.0.1/token", true, false},
		{"https://as.example.com", "http://as.example.com/token", true, false},
		{"https://localhost", "http://localhost/token", false, false},
		{"http://localhost:8080", "http://localhost:8080/token", false, true},
		{"http://localhost:8080", "http://[::1]/token", false, true},
		{"http://localhost:8080", "https://as.example.com/token", false, true},
		{"http://localhost:8080", "http://as.example.com/token", false, false},
		{"http://localhost:8080", "http://LocalHost:8080/token", false, false},
		{"http://as.example.com", "http://as.example.com/token", true, true},
	} {
		for name, doc := range map[string]string{
			"endpoint": fmt.Sprintf(`{"issuer":%q,"token_endpoint":%q}`, tc.issuer, tc.endpoint),
			"alias": fmt.Sprintf(`{"issuer":%q,"token_endpoint":"https://as.example.com/t","mtls_endpoint_aliases":{"token_endpoint":%q}}`,
				tc.issuer, tc.endpoint),
		} {
			if _, err := parse([]byte(doc), tc.issuer, tc.insecureHTTP); (err == nil) != tc.good {
				t.Errorf("%s %s of %s, InsecureHTTP %v: %v", name, tc.endpoint, tc.issuer, tc.insecureHTTP, err)
			}
		}
	}
}

// hostile is text that would break a line, turn it around, or clear a terminal.
const hostile = "evil\r\n\x1b[2J\u202e\u2028\u0085\x00\xff"

// fit reports whether an error's text is one line of sane length that a terminal shows as it is.
func fit(text string) bool {
	return utf8.ValidString(text) && len(text) < 1500 &&
		strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

func TestForeignTextReachesNoErrorAsItIs(t *testing.T) {
	const issuer = "https://as.example.com"
	long := strings.Repeat("<", 100_000)
	quoted := func(s string) string { // as JSON, whatever it holds
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, text := range []string{hostile, long} {
		for name, doc := range map[string]string{
			"no JSON":        text,
			"half JSON":      `{"issuer":` + text,
			"issuer":         `{"issuer":` + quoted(text) + `}`,
			"endpoint":       `{"issuer":"https://as.example.com","token_endpoint":` + quoted(text) + `}`,
			"endpoint, http": `{"issuer":"https://as.example.com","token_endpoint":` + quoted("http://"+text) + `}`,
			"endpoint, #": `{"issuer":"https://as.example.com","token_endpoint":` +
				quoted("https://a.example/#"+text) + `}`,
			"host": `{"issuer":"https://as.example.com","token_endpoint":` + quoted("https://"+text+"/t") +
				`}`,
			"path": `{"issuer":"https://as.example.com","token_endpoint":` +
				quoted("https://a.example/"+text) + `}`,
			"alias": `{"issuer":"https://as.example.com","token_endpoint":"https://a.example","mtls_endpoint_aliases":{"token_endpoint":` +
				quoted("https://"+text) + `}}`,
		} {
			if _, err := parse([]byte(doc), issuer, false); err == nil || !fit(err.Error()) {
				t.Errorf("%s: %.300q", name, fmt.Sprint(err))
			}
		}
		m, err := parse([]byte(`{"issuer":"https://as.example.com","token_endpoint":"https://a.example",`+
			`"token_endpoint_auth_methods_supported":[`+quoted(text)+`,"client_secret_post"],`+
			`"dpop_signing_alg_values_supported":[`+quoted(text)+`]}`), issuer, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Supports("client_secret_basic"); err == nil || !fit(err.Error()) {
			t.Errorf("Supports: %.300q", err)
		}
		if !slices.Equal(m.AuthMethods, []string{"client_secret_post"}) || len(m.DPoPAlgs) != 0 {
			t.Errorf("%.300q", fmt.Sprint(m))
		}
	}
}

func TestDocumentCostsMemoryOfItsOwnSize(t *testing.T) {
	const head = `{"issuer":"https://as.example.com","token_endpoint":"https://a.example"`
	fill := func(open, item, end string) string {
		return head + open + strings.Repeat(item, (maxBody-len(head)-len(open)-len(end))/len(item)) + end
	}
	for name, doc := range map[string]string{
		"members":      fill(`,"":0`, `,"":0`, `}`),
		"more members": head + manyMembers(150_000) + `}`,
		"a list":       fill(`,"grant_types_supported":[""`, `,""`, `]}`),
		"lists":        fill(``, `,"grant_types_supported":["","","","","","","",""]`, `}`),
		"aliases":      fill(`,"mtls_endpoint_aliases":{"":0`, `,"":0`, `}}`),
		"depth":        fill(`,"x":`, `[`, ``),
		"objects":      fill(`,"x":[{}`, `,{}`, `]}`),
		"a string":     fill(`,"x":"`, `x`, `"}`),
		"escapes":      fill(`,"x":"`, `\u0041`, `"}`),
		"nothing":      fill(``, ` `, ``) + `}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := parse([]byte(doc), "https://as.example.com", false)
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 12 {
			t.Errorf("%s: a document of %d bytes took %d MiB", name, len(doc), took)
		}
		if m != nil && (len(m.GrantTypes) > maxList || m.TokenEndpoint != "https://a.example") {
			t.Errorf("%s: %d grant types", name, len(m.GrantTypes))
		}
		if tooMuch := strings.Contains(name, "members") || name == "depth" || name == "lists"; (err != nil) != tooMuch {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	return b.String()
}

func TestEveryUsefulMemberIsRead(t *testing.T) {
	data, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(data, "https://server.example.com", false)
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string][]string{
		"client_secret_basic private_key_jwt tls_client_auth": m.AuthMethods,
		"RS256 ES256":                           m.AssertionAlgs,
		"ES256 EdDSA":                           m.DPoPAlgs,
		"authorization_code client_credentials": m.GrantTypes,
	}
	for want, got := range lists {
		if strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if m.Issuer != "https://server.example.com" || m.TokenEndpoint != "https://server.example.com/token" ||
		m.MTLSTokenEndpoint != "https://mtls.example.com/token" {
		t.Errorf("%+v", m)
	}
}

func TestUnlistedMethodIsAnErrorThatNamesTheListedOnes(t *testing.T) {
	m := &Metadata{Issuer: "https://as.example.com", AuthMethods: []string{"client_secret_post", "private_key_jwt"}}
	if err := m.Supports("private_key_jwt"); err != nil {
		t.Error(err)
	}
	err := m.Supports("client_secret_basic")
	if err == nil || !strings.Contains(err.Error(),
		"does not support client_secret_basic, but client_secret_post, private_key_jwt") {
		t.Error(err)
	}
	if err := (&Metadata{}).Supports("tls_client_auth"); err != nil {
		t.Errorf("a server that lists nothing: %v", err)
	}
	if err := (&Metadata{AuthMethods: []string{}}).Supports("tls_client_auth"); err == nil {
		t.Error("a server with an empty list supports everything")
	}
}

func TestLifetimeFollowsCacheControlWithinBounds(t *testing.T) {
	for _, tc := range []struct {
		header []string
		want   time.Duration
	}{
		{nil, time.Hour},
		{[]string{""}, time.Hour},
		{[]string{"public, max-age=7200"}, 2 * time.Hour},
		{[]string{"public", "Max-Age=\"7200\""}, 2 * time.Hour},
		{[]string{"max-age=1"}, 5 * time.Minute},
		{[]string{"max-age=0, must-revalidate"}, 5 * time.Minute},
		{[]string{"max-age=31536000, immutable"}, 24 * time.Hour},
		{[]string{"max-age=18446744073709551615"}, 24 * time.Hour},
		{[]string{"max-age=99999999999999999999999"}, time.Hour},
		{[]string{"max-age=-5"}, time.Hour},
		{[]string{"max-age"}, time.Hour},
		{[]string{"s-maxage=10"}, time.Hour},
		{[]string{"no-store"}, 5 * time.Minute},
		{[]string{"no-cache, max-age=7200"}, 5 * time.Minute},
	} {
		if got := lifetime(http.Header{"Cache-Control": tc.header}); got != tc.want {
			t.Errorf("%q: %v, want %v", tc.header, got, tc.want)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.json")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range seeds {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const issuer = "https://server.example.com"
		m, err := parse(data, issuer, false)
		if err != nil {
			if !fit(err.Error()) {
				t.Errorf("unfit: %.1000q", err)
			}
			return
		}
		if m.Issuer != issuer {
			t.Errorf("issuer %q", m.Issuer)
		}
		for _, u := range []string{m.TokenEndpoint, m.MTLSTokenEndpoint} {
			if u == "" && u != m.TokenEndpoint {
				continue
			}
			if err := checkEndpoint(u, issuer, false); err != nil {
				t.Errorf("endpoint %q: %v", u, err)
			}
			if _, err := http.NewRequest(http.MethodPost, u, nil); err != nil {
				t.Errorf("endpoint %q: %v", u, err)
			}
		}
		if err := m.Supports("client_secret_basic"); err != nil && !fit(err.Error()) {
			t.Errorf("unfit: %.1000q", err)
		}
	})
}
