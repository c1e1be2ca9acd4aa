package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/internal/redact"
)

func runCall(ctx context.Context, args []string, s streams) error {
	f := newFlags("call", " URL", s).bounded()
	method := f.String("method", "", "of the request; GET without -data, POST with it")
	data := f.String("data", "", "body: text, @file, or - for standard input")
	header := http.Header{}
	f.Func("header", "`field` to send, \"Name: value\"; more than once if need be", func(field string) error {
		return addField(header, field)
	})
	if err := f.parse(args, 1); err != nil {
		return err
	}
	target, err := url.Parse(f.Arg(0))
	if err != nil || target.Host == "" {
		return usagef("call needs the URL of a resource, such as https://api.example.com/orders")
	}
	body, err := openBody(*data, s.in)
	if err != nil {
		return err
	}
	client, err := f.client(func(cfg *ccclient.Config) error {
		cfg.ReplayLimit = replayLimit
		return nil
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := f.within(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, methodOf(*method, *data), target.String(), body)
	if err != nil {
		return &usageError{err}
	}
	req.Header = header
	t := client.Transport(nil)
	t.Base = shown{t.Base, s.err}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(s.out, resp.Body); err != nil {
		return fmt.Errorf("read the response: %w", err)
	}
	if resp.StatusCode >= 400 {
		return fmt.Errorf("%s answered %d", target.Host, resp.StatusCode)
	}
	return nil
}

// addField adds a line "Name: value" to header.
func addField(header http.Header, field string) error {
	name, value, ok := strings.Cut(field, ":")
	name = http.CanonicalHeaderKey(strings.TrimSpace(name))
	switch {
	case !ok || name == "":
		return fmt.Errorf("it is to be like \"Accept: text/plain\"")
	case name == "Authorization":
		return fmt.Errorf("cctoken itself adds Authorization, and the command line is no place for a credential")
	}
	header.Add(name, strings.TrimSpace(value))
	return nil
}

// openBody returns the body that -data names; nil: none.
func openBody(data string, stdin io.Reader) (io.Reader, error) {
	switch path, isFile := strings.CutPrefix(data, "@"); {
	case data == "":
		return nil, nil
	case data == "-":
		return stdin, nil
	case isFile:
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, usagef("-data: %w", err)
		}
		return strings.NewReader(string(content)), nil
	}
	return strings.NewReader(data), nil
}

func methodOf(method, data string) string {
	switch {
	case method != "":
		return strings.ToUpper(method)
	case data != "":
		return http.MethodPost
	default:
		return http.MethodGet
	}
}

// shown is a Base that shows each request and the header of its answer, without the token, wherever that turns up.
type shown struct {
	http.RoundTripper
	w io.Writer
}

func (s shown) RoundTrip(req *http.Request) (*http.Response, error) {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	r := redact.New(token)
	header := maps.Clone(req.Header)
	header.Set("Authorization", scheme+" "+redact.Redacted)
	s.show(">", req.Method+" "+req.URL.RequestURI()+" to "+req.URL.Host, header, r)
	resp, err := s.RoundTripper.RoundTrip(req)
	if err == nil {
		s.show("<", resp.Proto+" "+resp.Status, resp.Header, r)
	}
	return resp, err
}

// show prints the first line of a message and its header.
func (s shown) show(mark, line string, header http.Header, r *redact.Redactor) {
	fmt.Fprintln(s.w, mark, r.Clean(line))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(s.w, "%s %s: %s\n", mark, name, r.Clean(value))
		}
	}
	fmt.Fprintln(s.w, mark)
}
