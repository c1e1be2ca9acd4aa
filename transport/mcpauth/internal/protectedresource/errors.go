package protectedresource

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// Clean returns foreign text in a form that is fit for an error: of one line, printable, and at most 200 characters.
func Clean(text string) string {
	const most = 200
	var b strings.Builder
	n := 0
	for _, c := range text {
		if n++; n > most {
			b.WriteString("...")
			break
		}
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// show returns a URL without its query, which may hold what nobody is to see.
func show(text string) string {
	before, _, _ := strings.Cut(text, "?")
	return Clean(before)
}

// A notFound is a search that failed: where it looked, and what it met there.
type notFound struct {
	resource string
	places   []string
	errs     []error
}

func (e *notFound) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "resource %q: no usable metadata", show(e.resource))
	for i, place := range e.places {
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		fmt.Fprintf(&b, "%sGET %s: %v", sep, show(place), e.errs[i])
	}
	return b.String()
}

func (e *notFound) Unwrap() []error { return e.errs }

// noAnswer is a request that got no whole response.
type noAnswer struct{ error }

func (e *noAnswer) Error() string { return Clean(e.error.Error()) }
func (e *noAnswer) Unwrap() error { return e.error }

// A mismatch is metadata of another resource.
type mismatch struct{ resource string }

func (e *mismatch) Error() string {
	return fmt.Sprintf("it is for resource %q, and must be for the URL that was asked, to the letter (RFC 9728, "+
		"section 3.3)", show(e.resource))
}

// refused returns the error for an answer that is not 200.
func refused(resp *http.Response) error {
	text := strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode)))
	if to, err := resp.Location(); err == nil {
		return fmt.Errorf("%s, a redirect to host %q, which is not followed", text, Clean(to.Host))
	}
	return fmt.Errorf("%s", text)
}

// within takes the URL off an error of net/http: the one around it has it.
func within(err error) error {
	if wrapped, ok := err.(*url.Error); ok {
		return wrapped.Err
	}
	return err
}
