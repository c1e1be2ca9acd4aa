package ccclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// maxAnswer bounds what is read of a token response: far above any token.
const maxAnswer = 1 << 20

// An answer is a token endpoint's response, read whole.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	received time.Time
}

// An unreadable error says that a body is neither JSON nor a form. It is not
// quoted: it may hold anything.
type unreadable struct {
	media string // the declared type: the server's words
	html  bool   // a page for people
	title string // the page's: the server's words
}

func (e unreadable) Error() string {
	what := "the answer is neither a JSON object nor a form"
	if e.html {
		what = "this does not look like a token endpoint"
	}
	if e.media == "" {
		return what + " (no content type)"
	}
	return what + " (" + e.media + ")"
}

// members reads the body by what it holds, and by what it is declared to be only
// where that leaves a doubt: servers are careless with Content-Type. GitHub and
// others answer with a form.
func (a answer) members() (map[string]any, error) {
	media := a.mediaType()
	body := bytes.TrimSpace(bytes.TrimPrefix(a.body, []byte("\uFEFF")))
	switch {
	case len(body) == 0:
		return nil, errors.New("the answer is empty")
	case body[0] == '{':
		return decodeObject(body)
	case body[0] == '<' || strings.Contains(media, "html"):
		return nil, unreadable{media: media, html: true, title: title(body)}
	case media == "" || media == "text/plain" || media == "application/x-www-form-urlencoded":
		if m := decodeForm(body); m != nil {
			return m, nil
		}
	}
	return nil, unreadable{media: media}
}

// title gives the title of a page: Shopify, for one, has its error code there
// ("400 - Oauth error app_not_installed"), and proxies name themselves.
func title(page []byte) string {
	_, rest, found := bytes.Cut(page, []byte("<title>"))
	text, _, closed := bytes.Cut(rest, []byte("</title>"))
	if !found || !closed || len(text) > 1000 {
		return ""
	}
	return html.UnescapeString(string(text))
}

// mediaType gives the declared type in lower case, if it is a plausible one.
func (a answer) mediaType() string {
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || len(media) > 100 {
		return ""
	}
	return media
}

// decodeObject reads one JSON object. Numbers become float64, as x/oauth2 gives
// them, but one that no float64 can hold does not spoil the rest.
func decodeObject(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var m map[string]any
	switch err := dec.Decode(&m); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("the answer is cut short: %d bytes of JSON without an end", len(body))
	case err != nil: // its text may quote the answer
		return nil, fmt.Errorf("the answer is not valid JSON, from byte %d on", dec.InputOffset())
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("the answer goes on after its JSON object, from byte %d on", dec.InputOffset())
	}
	for name, v := range m {
		m[name] = floats(v)
	}
	return m, nil
}

func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := seconds.Number(v)
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = floats(v[name])
		}
	}
	return v
}

// decodeForm reads a form that is a token or an error response, or gives nil.
func decodeForm(body []byte) map[string]any {
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("access_token") && !form.Has("error") {
		return nil
	}
	m := make(map[string]any, len(form))
	for name := range form {
		m[name] = form.Get(name)
	}
	return m
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
