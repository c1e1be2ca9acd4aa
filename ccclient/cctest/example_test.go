package cctest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A service that calls a protected API is tested against a real authorization server and a real API, both on
// loopback.
func ExampleServer() {
	s := cctest.NewServer(cctest.Options{})
	defer s.Close()
	api := httptest.NewServer(s.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
	defer api.Close()

	// Whatever client the service uses; here the one of golang.org/x/oauth2.
	config := clientcredentials.Config{
		TokenURL:     s.TokenURL(),
		ClientID:     cctest.DefaultClientID,
		ClientSecret: cctest.DefaultClientSecret,
		Scopes:       []string{"read"},
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	resp, err := config.Client(context.Background()).Get(api.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	fmt.Println(resp.Status)
	for _, r := range s.TokenRequests() {
		fmt.Println(r.ClientID, r.AuthMethod, r.Form.Get("scope"), r.Status)
	}
	// Output:
	// 200 OK
	// client client_secret_basic read 200
}

// The server can be told to misbehave: what does the service do then?
func ExampleServer_FailNext() {
	s := cctest.NewServer(cctest.Options{Lifetime: time.Minute})
	defer s.Close()
	s.FailNext(1, http.StatusServiceUnavailable, http.Header{"Retry-After": {"2"}})

	config := clientcredentials.Config{
		TokenURL:     s.TokenURL(),
		ClientID:     cctest.DefaultClientID,
		ClientSecret: cctest.DefaultClientSecret,
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	_, err := config.Token(context.Background())
	fmt.Println(err != nil)
	token, err := config.Token(context.Background())
	fmt.Println(token.Type(), err)
	// Output:
	// true
	// Bearer <nil>
}

// One http.Client reaches the authorization server and an API without sockets: this runs in a testing/synctest
// bubble, too, where tokens of an hour expire in no time.
func ExampleRoundTripper() {
	s := cctest.NewServer(cctest.Options{})
	mux := http.NewServeMux()
	mux.Handle("as.example/", s.Handler())
	mux.Handle("api.example/", s.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
	plain := &http.Client{Transport: cctest.RoundTripper(mux)}

	config := clientcredentials.Config{
		TokenURL:     "https://as.example/token",
		ClientID:     cctest.DefaultClientID,
		ClientSecret: cctest.DefaultClientSecret,
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, plain)
	resp, err := config.Client(ctx).Get("https://api.example/things")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// 200 OK
}
