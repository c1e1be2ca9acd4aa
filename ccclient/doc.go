// Package ccclient gets a service its OAuth 2.0 access token, keeps it fresh, and spends it on every HTTP request: the
// client-credentials grant (RFC 6749, section 4.4) as an http.Client.
//
//	client, err := ccclient.New(ccclient.Config{
//		TokenURL: "https://as.example.com/token",
//		ClientID: "my-service",
//		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
//		Scopes:   []string{"read"},
//	})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	resp, err := client.HTTPClient().Get("https://api.example.com/things")
//
// A Config to copy for each of some twenty identity providers, with what there is to know of it, is in
// [docs/providers.md].
//
// # What it promises
//
// A cached token costs no lock and no allocation. It is renewed in the background before it expires; callers who find
// none share one token request, and each waits on its own context. A token that the API rejects with 401 is replaced,
// and the request is sent once more. While the authorization server is down the living token is used to its end, and
// then callers get the error at once, not a queue.
//
// The token goes to https (or loopback) and to the hosts that are allowed, and never to where a redirect leads. No
// error, log line or printed value holds a secret or a token.
//
// # How it is made
//
// This package gets a token, package cache keeps it fresh, package transport spends it. cache and transport can be used
// alone; this package joins them, and the cache calls back into it for the fetch. Package cctest is an authorization
// server for tests. [docs/architecture.md] follows a request through them, and says which goroutines and locks there
// are.
//
// # What is stable
//
// From v1.0.0 on the exported API changes as Go's own does. A Store may be shared by versions: records say which
// version wrote them (see package cache), and so do the keys that they lie under. A version that holds other things to
// shape a token uses other keys: then each token is asked for once more, and none is mistaken for another. Texts of
// errors, logs and printed values may change: use errors.Is, and the fields of [Error].
//
// [docs/providers.md]: https://github.com/ccclient/go-ccclient/blob/main/docs/providers.md
// [docs/architecture.md]: https://github.com/ccclient/go-ccclient/blob/main/docs/architecture.md
package ccclient
