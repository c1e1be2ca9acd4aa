package ccclient_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/ccclient/go-ccclient/ccclient"
)

// written returns s in the ways in which a server may write it, whole or in part.
func written(s string) map[string]string {
	each := func(format string, s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, format, s[i])
		}
		return b.String()
	}
	quoted, _ := json.Marshal(s)
	part := s[len(s)/2:]
	all := map[string]string{
		"as it is": s, "the rest": part, "the beginning": s[:8],
		"form": url.QueryEscape(s), "path": url.PathEscape(s), "each byte": each("%%%02x", part), "twice": url.QueryEscape(url.QueryEscape(s)),
		"JSON": string(quoted[1 : len(quoted)-1]), "JSON, each": each(`\u%04x`, s), "slashes": strings.ReplaceAll(s, "/", `\/`),
		"HTML": html.EscapeString(s), "XML": each("&#%d;", part), "XML, hexadecimal": each("&#x%X;", s),
		"hex": hex.EncodeToString([]byte(s)), "hex of a part": strings.ToUpper(hex.EncodeToString([]byte(part))),
	}
	for at := range 3 {
		all[fmt.Sprint("base64 at ", at)] = base64.StdEncoding.EncodeToString([]byte("id:"[:at] + s + "x"))
		all[fmt.Sprint("base64url at ", at)] = base64.RawURLEncoding.EncodeToString([]byte("id:"[:at] + part + "xyz"))
	}
	return all
}

// holds returns a way in which eight characters of s or more are in text; empty if they are not.
func holds(text, s string) string {
	for name, w := range written(s) {
		if len(w) >= 16 && strings.Contains(text, w) {
			return name
		}
		// Half of it would be enough.
		if mid := w[len(w)/4 : len(w)-len(w)/4]; len(w) >= 40 && strings.Contains(text, mid) {
			return name + ", a part"
		}
	}
	for i := 0; i+8 <= len(s); i++ {
		if strings.Contains(text, s[i:i+8]) {
			return fmt.Sprintf("%q", s[i:i+8])
		}
	}
	return ""
}

// said returns all that is said of an error and of those in it.
func said(err error) string {
	var b strings.Builder
	var tell func(err error)
	tell = func(err error) {
		if err == nil {
			return
		}
		fmt.Fprintf(&b, "%v\n%+v\n%#v\n%q\n", err, err, err, err)
		if e, ok := err.(*ccclient.Error); ok {
			fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n", e.Code, e.Description, e.URI, e.Hint)
		}
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			tell(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				tell(inner)
			}
		}
	}
	tell(err)
	return b.String()
}

// fit reports whether text can be shown: nothing in it is invisible, ends the line or turns it around. Lines end where
// said ends them.
func fit(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool {
		return c != '\n' && !unicode.IsPrint(c) ||
			unicode.In(c, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
	})
}

const (
	oldSecret = "Old/s3cret+with=all&of:it"
	newSecret = "new!Passw0rd <and> a \"quote\""
)

// memory is a token server that remembers what it was sent and what it gave, and repeats it when it is told to.
type memory struct {
	mu     sync.Mutex
	n      int
	answer func() *http.Response // nil: a token
}

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answer != nil {
		resp := m.answer()
		resp.Request = r
		return resp, nil
	}
	m.n++
	return jsonAnswer(200, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, tokenOf(m.n))), nil
}

func tokenOf(n int) string {
	return fmt.Sprintf("token-%d.%s", n, strings.Repeat(fmt.Sprintf("%da/b+", n), 8))
}

func jsonAnswer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

func TestWhatWasSecretBeforeIsInNoErrorEither(t *testing.T) {
	secret := oldSecret
	for _, auth := range []func(ccclient.Secret) ccclient.Auth{
		ccclient.ClientSecretBasic, ccclient.ClientSecretPost,
		func(s ccclient.Secret) ccclient.Auth { return ccclient.ClientSecretJWT(s, ccclient.AssertionOptions{}) },
	} {
		server := &memory{}
		var log bytes.Buffer
		long := func(context.Context) (string, error) { return secret + "-and-longer-than-32-bytes", nil }
		c, err := ccclient.New(ccclient.Config{
			TokenURL: asTokenURL, ClientID: "id", Auth: auth(long), HTTPClient: &http.Client{Transport: server},
			Retry:  ccclient.Retry{MaxAttempts: 1},
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		secret = oldSecret
		if _, err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		secret = newSecret
		for range 2 {
			if _, err := c.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for what, canary := range map[string]string{
			"the secret before": oldSecret, "the secret": newSecret, "the token": tokenOf(3), "the token before": tokenOf(2),
		} {
			for name, w := range written(canary) {
				for shape, answer := range map[string]func() *http.Response{
					"description": func() *http.Response {
						return jsonAnswer(401, fmt.Sprintf(`{"error":"invalid_client","error_description":%s}`, quoted("bad "+w+"!")))
					},
					"code": func() *http.Response { return jsonAnswer(400, fmt.Sprintf(`{"error":%s}`, quoted(w))) },
					"type": func() *http.Response {
						return jsonAnswer(200, fmt.Sprintf(`{"access_token":"another-token","token_type":%s}`, quoted(w)))
					},
					"page": func() *http.Response {
						return &http.Response{StatusCode: 500, Header: http.Header{"Content-Type": {"text/html"}},
							Body: io.NopCloser(strings.NewReader("<html><title>" + w + "</title></html>"))}
					},
					"redirect": func() *http.Response {
						return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://" + url.PathEscape(w) + "/"}}, Body: http.NoBody}
					},
				} {
					server.answer = answer
					_, err := c.Refresh(t.Context())
					e, ok := errors.AsType[*ccclient.Error](err)
					if !ok {
						t.Fatal(err)
					}
					if how := holds(said(err)+log.String(), canary); how != "" {
						t.Errorf("%s (%s) in the %s: %s: %v", what, name, shape, how, err)
					}
					if e.Code != "" && e.Code != ccclient.InvalidClient && e.Code != ccclient.ErrorCode(w) {
						t.Errorf("%s (%s): the code was altered: %q", what, name, e.Code)
					}
					log.Reset()
				}
			}
		}
		c.Close()
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestCodeStaysAsItIsOrIsLeftOut(t *testing.T) {
	for code, want := range map[string]ccclient.ErrorCode{
		"invalid_secret": "invalid_secret", "invalid_client": "invalid_client", "secret": "secret",
		"invalid_client_credentials": "", "client_credentials": "", "x-client_credentials-x": "",
		"Y2xpZW50X2NyZWRlbnRpYWxz": "", "636c69656e745f63726564656e7469616c73": "", "bad code": "", "a\u202eb": "",
	} {
		server := &memory{answer: func() *http.Response { return jsonAnswer(400, fmt.Sprintf(`{"error":%s}`, quoted(code))) }}
		c, err := ccclient.New(ccclient.Config{
			TokenURL: asTokenURL, ClientID: "id", HTTPClient: &http.Client{Transport: server},
			Retry: ccclient.Retry{MaxAttempts: 1},
			Auth: ccclient.AuthFunc(func(context.Context, ccclient.Request) (ccclient.Credentials, error) {
				return ccclient.Credentials{Form: url.Values{"a": {"secret"}, "b": {"my_client_credentials"}}}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Token(t.Context())
		e, ok := errors.AsType[*ccclient.Error](err)
		if !ok || e.Code != want || !fit(said(err)) {
			t.Errorf("%q becomes %q: %v", code, e.Code, err)
		}
		c.Close()
	}
}

func TestDiscoveryErrorsAreFitToBeShown(t *testing.T) {
	const deceit = "two\r\nlines\u2028\u0085 \u202ebidi\u2066\u200b\u200f\x1b[31m\u3164\ufe0f"
	const issuer = "https://as.example.com"
	metadata := func(member string) string {
		return `{"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/token",` + member + `}`
	}
	for name, canary := range map[string]string{
		"secret": oldSecret, "deceit": deceit, "huge": strings.Repeat("x", 1<<20),
	} {
		for shape, resp := range map[string]func() *http.Response{
			"issuer": func() *http.Response { return jsonAnswer(200, `{"issuer":`+quoted("https://other/"+canary)+`}`) },
			"endpoint": func() *http.Response {
				return jsonAnswer(200, metadata(`"token_endpoint":`+quoted("http://other/"+canary)))
			},
			"host": func() *http.Response {
				return jsonAnswer(200, metadata(`"token_endpoint":`+quoted("https://a"+canary+".example/t")))
			},
			"methods": func() *http.Response {
				return jsonAnswer(200, metadata(`"token_endpoint_auth_methods_supported":[`+quoted(canary)+`]`))
			},
			"algorithms": func() *http.Response {
				return jsonAnswer(200, metadata(`"token_endpoint_auth_methods_supported":["client_secret_jwt"],"token_endpoint_auth_signing_alg_values_supported":[`+quoted(canary)+`]`))
			},
			"redirect": func() *http.Response {
				return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://x" + url.PathEscape(canary) + "/"}}, Body: http.NoBody}
			},
			"Base": nil,
		} {
			for method, auth := range map[string]ccclient.Auth{
				"basic": ccclient.ClientSecretBasic(ccclient.SecretString(oldSecret)),
				"jwt":   ccclient.ClientSecretJWT(ccclient.SecretString(oldSecret+oldSecret), ccclient.AssertionOptions{}),
			} {
				c, err := ccclient.New(ccclient.Config{
					Issuer: issuer, ClientID: "id", Auth: auth, Retry: ccclient.Retry{MaxAttempts: 1},
					HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						if resp == nil {
							return nil, errors.New("server says " + canary)
						}
						if r.Method == http.MethodPost {
							return jsonAnswer(400, `{"error":"invalid_request","error_description":`+quoted(canary)+`}`), nil
						}
						answer := resp()
						answer.Request = r
						return answer, nil
					})},
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.Token(t.Context())
				if err == nil {
					t.Errorf("%s, %s: a token", name, shape)
				}
				if text := said(err); holds(text, oldSecret) != "" || !fit(err.Error()) || len(err.Error()) > 2000 {
					t.Errorf("%s in %s, %s: %d bytes: %.1000q", name, shape, method, len(err.Error()), err)
				}
				c.Close()
			}
		}
	}
}

// A shouter is a server over real sockets that answers with what it was sent, in no valid HTTP.
func shouter(t *testing.T, format string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends when l is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				r := textproto.NewReader(bufio.NewReader(conn))
				r.ReadLine()
				header, err := r.ReadMIMEHeader()
				if err != nil {
					return
				}
				_, sent, _ := strings.Cut(header.Get("Authorization"), " ")
				if basic, err := base64.StdEncoding.DecodeString(sent); err == nil {
					_, password, _ := strings.Cut(string(basic), ":")
					sent, _ = url.PathUnescape(password)
				}
				io.WriteString(conn, strings.ReplaceAll(format, "$", sent))
			}()
		}
	}()
	return l.Addr().String()
}

func TestErrorsOfNetHTTPHoldNoSecretAndNoToken(t *testing.T) {
	for name, format := range map[string]string{
		"response":        "$\r\n\r\n",
		"long response":   strings.Repeat("x", 3000) + "$\r\n\r\n",
		"version":         "HTTP/$ 200 OK\r\n\r\n",
		"status":          "HTTP/1.1 $\r\n\r\n",
		"header":          "HTTP/1.1 200 OK\r\n$\r\n\r\n",
		"header name":     "HTTP/1.1 200 OK\r\n$ : x\r\n\r\n",
		"length":          "HTTP/1.1 200 OK\r\nContent-Length: $\r\n\r\n",
		"encoding":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: $\r\n\r\n",
		"hex":             "HTTP/1.1 " + "x%73$\r\n\r\n",
		"trailing spaces": "\x1b[31m$\u202e\r\n\r\n",
	} {
		address := shouter(t, format)
		var log bytes.Buffer
		c, err := ccclient.New(ccclient.Config{
			TokenURL: "http://" + address + "/token", ClientID: "id", Auth: ccclient.ClientSecretBasic(ccclient.SecretString(oldSecret)),
			Retry:  ccclient.Retry{MaxAttempts: 2, MinBackoff: 1, MaxBackoff: 1},
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Token(t.Context())
		if err == nil {
			t.Errorf("%s: a token", name)
		}
		if text := said(err) + log.String(); holds(text, oldSecret) != "" || !fit(text) {
			t.Errorf("%s: %s: %.500s", name, holds(text, oldSecret), text)
		}
		c.Close()

		server := &memory{}
		c, err = ccclient.New(ccclient.Config{
			TokenURL: asTokenURL, ClientID: "id", Auth: ccclient.ClientSecretBasic(ccclient.SecretString(oldSecret)),
			HTTPClient: &http.Client{Transport: server},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&http.Client{Transport: c.Transport(http.DefaultTransport)}).Get("http://" + address + "/")
		if err == nil && name != "encoding" {
			t.Errorf("%s: an answer", name)
		}
		if text := said(err); holds(text, tokenOf(1)) != "" || !fit(text) {
			t.Errorf("%s: %s: %.500s", name, holds(text, tokenOf(1)), text)
		}
		c.Close()
	}
}

func TestErrorOfTheBaseHoldsNoTokenOfBefore(t *testing.T) {
	server := &memory{}
	c, err := ccclient.New(ccclient.Config{
		TokenURL: asTokenURL, ClientID: "id", Auth: ccclient.ClientSecretBasic(ccclient.SecretString(oldSecret)),
		HTTPClient: &http.Client{Transport: server},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := 0
	api := &http.Client{Transport: c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if answers++; answers == 1 {
			return &http.Response{StatusCode: 401, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
		return nil, fmt.Errorf("a proxy says: %s, and before that %s",
			r.Header.Get("Authorization"), url.QueryEscape("Bearer "+tokenOf(1)))
	}))}
	_, err = api.Get("https://api.example.com/")
	if err == nil || answers != 2 || holds(said(err), tokenOf(1)) != "" || holds(said(err), tokenOf(2)) != "" {
		t.Errorf("%d: %v", answers, err)
	}
}

func TestForeignTextOfAnyLengthMakesShortErrors(t *testing.T) {
	huge := strings.Repeat("x", 1<<20-1000)
	for shape, body := range map[string]string{
		"description": `{"error":"invalid_client","error_description":"` + huge + `"}`, "code": `{"error":"` + huge + `"}`,
		"uri": `{"error":"invalid_client","error_uri":"` + huge + `"}`, "type": `{"access_token":"abc","token_type":"` + huge + `"}`,
	} {
		server := &memory{answer: func() *http.Response { return jsonAnswer(200, body) }}
		c, err := ccclient.New(ccclient.Config{
			TokenURL: asTokenURL, ClientID: "id", Auth: ccclient.ClientSecretBasic(ccclient.SecretString(oldSecret)),
			HTTPClient: &http.Client{Transport: server}, Retry: ccclient.Retry{MaxAttempts: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Token(t.Context()); err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: %.2000v", shape, err)
		}
		c.Close()
	}
}
