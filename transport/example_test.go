package transport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

// static is a source of one token. Applications use ccclient's Client, which also renews it.
type static string

func (s static) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: string(s)}, nil
}

func whoami(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.URL.Path, " with ", r.Header.Get("Authorization"))
}

// An http.Client whose requests carry a token.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(whoami))
	defer server.Close()

	client := &http.Client{Transport: &transport.Transport{Source: static("2YotnFZFEjr1zCsicMWpAA")}}
	resp, err := client.Get(server.URL + "/things")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: /things with Bearer 2YotnFZFEjr1zCsicMWpAA
}

// A token that goes to one host and nowhere else.
func ExampleTransport_allowedHosts() {
	client := &http.Client{Transport: &transport.Transport{
		Source:       static("2YotnFZFEjr1zCsicMWpAA"),
		AllowedHosts: []string{"api.example.com"},
	}}
	_, err := client.Get("https://api.example.org/")
	fmt.Println(errors.Is(err, transport.ErrHostNotAllowed))
	fmt.Println(err)
	// Output:
	// true
	// Get "https://api.example.org/": ccclient: the host may not have the token: "api.example.org" is none of AllowedHosts
}

// tokenHeader is a base for APIs that want the token alone in a header of their own.
type tokenHeader struct {
	name string
	base http.RoundTripper
}

func (h tokenHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		r = r.Clone(r.Context()) // a RoundTripper must not modify what it is given
		r.Header.Del("Authorization")
		r.Header.Set(h.name, token)
	}
	return h.base.RoundTrip(r)
}

// An API that wants the token in a header of its own, as Shopify does: a base moves it there. The token goes where it
// would go in the Authorization header, and nowhere else: the header is not among those that a redirect repeats.
func ExampleTransport_header() {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["X-Shopify-Access-Token"], r.Header["Authorization"])
	}))
	defer shop.Close()

	client := &http.Client{Transport: &transport.Transport{
		Source: static("2YotnFZFEjr1zCsicMWpAA"),
		Base:   tokenHeader{"X-Shopify-Access-Token", http.DefaultTransport},
	}}
	resp, err := client.Get(shop.URL + "/admin/api/shop.json")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: ["2YotnFZFEjr1zCsicMWpAA"] []
}

// A proxy that adds a token to what it passes on. The bodies come from the network, so up to 1 MiB of each is kept for
// the case that the token is rejected. What callers put into Authorization is for the proxy, not for the API.
func ExampleTransport_reverseProxy() {
	api := httptest.NewServer(http.HandlerFunc(whoami))
	defer api.Close()
	target, err := url.Parse(api.URL)
	if err != nil {
		log.Fatal(err)
	}

	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		},
		Transport: &transport.Transport{Source: static("2YotnFZFEjr1zCsicMWpAA"), ReplayLimit: 1 << 20},
	})
	defer proxy.Close()

	resp, err := http.Post(proxy.URL+"/things", "text/plain", strings.NewReader("a thing"))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: /things with Bearer 2YotnFZFEjr1zCsicMWpAA
}

// A proof for a token request. Requests to the API get theirs from the Transport that has the same DPoP.
func ExampleDPoP_Sign() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	dpop, err := transport.NewDPoP(key)
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest("POST", "https://server.example.com/token", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := dpop.Sign(req, ""); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(req.Header.Get("DPoP"), ".") + 1)
	// Output: 3
}
