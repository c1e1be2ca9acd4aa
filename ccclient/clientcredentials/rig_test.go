package clientcredentials_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"
	theirs "golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient/clientcredentials"
)

const (
	tokenURL = "https://as.example/token"
	apiURL   = "https://api.example/things"
	id       = "client"
	secret   = "correct-horse"
)

// config is what the Configs of both packages do.
type config interface {
	Token(context.Context) (*oauth2.Token, error)
	Client(context.Context) *http.Client
	TokenSource(context.Context) oauth2.TokenSource
}

// fields are those that both Configs have.
type fields struct {
	ClientID, ClientSecret, TokenURL string
	Scopes                           []string
	EndpointParams                   url.Values
	AuthStyle                        oauth2.AuthStyle
}

func usual() fields {
	return fields{ClientID: id, ClientSecret: secret, TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInHeader}
}

func (f fields) ours() *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID: f.ClientID, ClientSecret: f.ClientSecret, TokenURL: f.TokenURL, Scopes: f.Scopes,
		EndpointParams: f.EndpointParams, AuthStyle: f.AuthStyle,
	}
}

func (f fields) theirs() *theirs.Config {
	return &theirs.Config{
		ClientID: f.ClientID, ClientSecret: f.ClientSecret, TokenURL: f.TokenURL, Scopes: f.Scopes,
		EndpointParams: f.EndpointParams, AuthStyle: f.AuthStyle,
	}
}

// A server answers all requests, and remembers them.
type server struct {
	answer func(*http.Request, url.Values) (status int, header http.Header, body string)

	mu    sync.Mutex // guards asked
	asked []string
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	form := url.Values{}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.asked = append(s.asked, req.Header.Get("Authorization")+" "+req.URL.Host+" "+form.Encode())
	s.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	status, header, body := s.answer(req, form)
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

// requests returns what was asked, and begins anew.
func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.asked
	s.asked = nil
	return all
}

// with returns a context whose requests s answers.
func (s *server) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: s})
}

// granting answers token requests with this body and API requests with 200.
func granting(body string) *server {
	return &server{answer: func(req *http.Request, _ url.Values) (int, http.Header, string) {
		if req.URL.Host != "as.example" {
			return http.StatusOK, nil, "{}"
		}
		return http.StatusOK, nil, body
	}}
}
