package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

func TestCallersRequestIsNeverModified(t *testing.T) {
	b := answers(reply{status: 401}, reply{status: 200})
	s := bearer("first", "second")
	req := request(t, "POST", "https://a.example/path?q", strings.NewReader("text"))
	req.Header.Set("X-Own", "value")
	before, header := *req, req.Header.Clone()
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b}, req)
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
	if !reflect.DeepEqual(req.Header, header) {
		t.Errorf("header: %v", req.Header)
	}
	if req.Body != before.Body || req.URL != before.URL || req.Response != nil ||
		req.ContentLength != before.ContentLength {
		t.Error("a field was changed")
	}
	if resp.Request != req {
		t.Error("resp.Request is not the caller's request")
	}
	for _, seen := range b.seen {
		equal(t, "the caller's header", seen.header.Get("X-Own"), "value")
		equal(t, "body", seen.body, "text")
	}
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	for name, s := range map[string]transport.Source{
		"an error": bearer(),
		"nil":      sourceFunc(func(context.Context) (*oauth2.Token, error) { return nil, nil }),
		"empty":    bearer(""),
	} {
		b, sent := answers(), newBody("x")
		_, err := (&transport.Transport{Source: s, Base: b}).RoundTrip(request(t, "POST", "https://a.example/", sent))
		if err == nil || name == "an error" && !errors.Is(err, errNoToken) {
			t.Errorf("%s: %v", name, err)
		}
		equal(t, "requests", len(b.seen), 0)
		sent.closedOnce(t)
	}
}

func TestErrorsOfAClientHaveOnePrefix(t *testing.T) {
	token := func(value, kind string) transport.Source {
		return &source{tokens: []*oauth2.Token{{AccessToken: value, TokenType: kind}}}
	}
	fails := func(text string) transport.Source {
		return sourceFunc(func(context.Context) (*oauth2.Token, error) { return nil, errors.New(text) })
	}
	silent := roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })
	for want, tr := range map[string]*transport.Transport{
		"no token: the server is down":                                               {Source: fails("the server is down")},
		"token request: invalid_client":                                              {Source: fails("ccclient: token request: invalid_client")},
		"no token: the Source *transport_test.source":                                {Source: token("", "")},
		"the Transport has no Source":                                                {},
		"the token is of the wrong type: ":                                           {Source: token("t", "MAC")},
		"the token holds a character":                                                {Source: token("a b", "")},
		"the host may not have the token: ":                                          {AllowedHosts: []string{"b.example"}},
		"the host may not have the token: \"a.example\"; AllowedHosts: host pattern": {AllowedHosts: []string{"*"}},
		"a DPoP is made by NewDPoP": {Source: token("t", "DPoP"),
			DPoP: new(transport.DPoP)},
		"transport_test.roundTripper, the Base, returned neither": {Source: bearer("t"),
			Base: silent},
		"read the request's body: unexpected EOF": {Source: bearer("t"),
			ReplayLimit: 10},
	} {
		req := request(t, "POST", "https://a.example/", iotest.ErrReader(io.ErrUnexpectedEOF))
		_, err := (&http.Client{Transport: tr}).Do(req)
		if err == nil {
			t.Errorf("%s: no error", want)
		} else if !strings.HasPrefix(err.Error(), `Post "https://a.example/": ccclient: `+want) ||
			strings.Count(err.Error(), "ccclient: ") != 1 {
			t.Errorf("%v\nwant ccclient: %s", err, want)
		}
	}
	_, err := (&http.Client{Transport: &transport.Transport{}}).Get("http://a.example/")
	if !errors.Is(err, transport.ErrInsecure) ||
		!strings.HasPrefix(err.Error(), `Get "http://a.example/": `+transport.ErrInsecure.Error()+": ") {
		t.Error(err)
	}
}

func TestEndedContextIsRecognisableInTheError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := sourceFunc(func(ctx context.Context) (*oauth2.Token, error) { return nil, ctx.Err() })
	_, err := (&transport.Transport{Source: s, Base: answers()}).RoundTrip(request(t, "GET", "https://a.example/",
		nil).WithContext(ctx))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTimeoutIsOneToThoseWhoAskTheClientsError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), true},
		{context.Canceled, false},
		{errNoToken, false},
	} {
		fails := sourceFunc(func(context.Context) (*oauth2.Token, error) { return nil, c.err })
		client := &http.Client{Transport: &transport.Transport{Source: fails}}
		_, err := client.Get("https://api.example.com/")
		// url.Error does not unwrap what it asks.
		if e, ok := errors.AsType[net.Error](err); !ok || e.Timeout() != c.want {
			t.Errorf("%v: a timeout is %v, want %v", err, !c.want, c.want)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v is not %v", err, c.err)
		}
	}
}

func TestSilentBaseIsAnError(t *testing.T) {
	silent := roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })
	tr := &transport.Transport{Source: bearer("token"), Base: silent}
	if _, err := tr.RoundTrip(request(t, "GET", "https://a.example/", nil)); err == nil {
		t.Error("no error")
	}
}

type idler struct {
	http.RoundTripper
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

func TestIdleConnectionsOfTheBaseAreClosed(t *testing.T) {
	i := new(idler)
	(&http.Client{Transport: &transport.Transport{Base: i}}).CloseIdleConnections()
	equal(t, "closed", i.closed, 1)
	(&http.Client{Transport: &transport.Transport{Base: i, Outside: i}}).CloseIdleConnections()
	equal(t, "closed, with those of Outside", i.closed, 3)
	(&transport.Transport{Base: answers()}).CloseIdleConnections() // It has none to close.
}

// static is a Source that fmt would print.
type constant string

func (c constant) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: string(c)}, nil
}

func TestNothingPrintsATokenOrAKey(t *testing.T) {
	const canary = "canary-token"
	key := p256(t)
	private, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{canary, fmt.Sprint(private)[1:20], fmt.Sprintf("%x", private), fmt.Sprintf("%X", private),
		new(big.Int).SetBytes(private).String()}
	dpop := newDPoP(t, key)
	dpop.Learn(&http.Response{Request: request(t, "GET", "https://a.example/", nil),
		Header: http.Header{"Dpop-Nonce": {"nonce"}}})
	for _, tr := range []*transport.Transport{
		{Source: constant(canary), Base: answers(reply{status: 401})},
		{Source: constant(canary), Base: answers(reply{status: 401}), AllowedHosts: []string{"a.example"}},
		{Source: bound(canary), Base: answers(reply{status: 401}), DPoP: dpop},
	} {
		resp, _ := roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
		tr.Base = nil // it holds what it was sent
		values := []any{tr, dpop, resp, resp.Request, struct {
			T *transport.Transport
			D *transport.DPoP
		}{tr, dpop}}
		if s, ok := tr.Source.(constant); ok {
			walk(t, reflect.ValueOf(dpop), secrets)
			tr.Source = sourceFunc(s.Token)
			walk(t, reflect.ValueOf(tr), secrets)
			tr.Source = s
		}
		for _, v := range values {
			for verb := range strings.SplitSeq("v +v #v s q d x X t 5.2v", " ") {
				hasNone(t, "%"+verb, fmt.Sprintf("%"+verb, v), secrets)
			}
			if text, err := json.Marshal(v); err == nil {
				hasNone(t, "JSON", string(text), secrets)
			} else {
				hasNone(t, "JSON error", err.Error(), secrets)
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v, "group", slog.GroupValue(slog.Any("v", v)))
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
			hasNone(t, "slog", log.String(), secrets)
		}
	}
}

func TestPrintedFormsSayWhatTheyAre(t *testing.T) {
	d := newDPoP(t, p256(t))
	tr := &transport.Transport{AllowedHosts: []string{"api.example.com"}, DPoP: d}
	equal(t, "Transport", fmt.Sprint(tr), `transport.Transport{AllowedHosts: ["api.example.com"], DPoP: true}`)
	equal(t, "DPoP", fmt.Sprintf("%+v", d), "transport.DPoP("+d.Thumbprint()+")")
	text, err := json.Marshal(map[string]any{"t": tr, "d": d})
	if want := `{"d":"transport.DPoP(` + d.Thumbprint() +
		`)","t":"transport.Transport{AllowedHosts: [\"api.example.com\"], DPoP: true}"}`; err != nil ||
		string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	equal(t, "zero", fmt.Sprint(new(transport.DPoP), (*transport.DPoP)(nil), (*transport.Transport)(nil)),
		"transport.DPoP() transport.DPoP() transport.Transport{AllowedHosts: [], DPoP: false}")
}

func hasNone(t *testing.T, what, text string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) ||
			strings.Contains(text, fmt.Sprintf("%X", secret)) {
			t.Errorf("%s shows %q", what, secret)
		}
	}
}

// walk follows every pointer, as some printers do, into fields that are not exported too, and atomic pointers.
func walk(t *testing.T, v reflect.Value, secrets []string) {
	seen := make(map[string]bool)
	var follow func(path string, v reflect.Value)
	follow = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			hasNone(t, path, v.String(), secrets)
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() || v.Kind() == reflect.Pointer && seen[fmt.Sprint(v.Type(), v.Pointer())] {
				return
			}
			if v.Kind() == reflect.Pointer {
				seen[fmt.Sprint(v.Type(), v.Pointer())] = true
			}
			follow(path+".*", v.Elem())
		case reflect.Struct:
			// what it points to is known by its type
			if name := v.Type().String(); strings.HasPrefix(name, "atomic.Pointer[") {
				p := v.FieldByName("v").UnsafePointer()
				if p != nil {
					follow(path+".Load()", reflect.NewAt(v.Type().Field(0).Type.Elem().Elem(), p))
				}
				return
			}
			for i := range v.NumField() {
				follow(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				b := make([]byte, v.Len())
				for i := range b {
					b[i] = byte(v.Index(i).Uint())
				}
				hasNone(t, path, fmt.Sprintf("%s %x %d", b, b, b), secrets)
				return
			}
			for i := range v.Len() {
				follow(fmt.Sprint(path, "[", i, "]"), v.Index(i))
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				follow(path+".key", it.Key())
				follow(path+".value", it.Value())
			}
		}
	}
	follow(v.Type().String(), v)
}

func TestCachedRoundTripCostsThreeAllocationsAnd720Bytes(t *testing.T) {
	for _, tc := range []struct{ headers, token int }{{0, 40}, {7, 16 << 10}} {
		tr, req := cached(t, tc.token, tc.headers)
		trip := func() {
			if _, err := tr.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(100, trip); n > 3 {
			t.Errorf("%+v: %v allocations", tc, n)
		}
		if result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				trip()
			}
		}); result.AllocedBytesPerOp() > 720 {
			t.Errorf("%+v: %d bytes", tc, result.AllocedBytesPerOp())
		}
	}
}
