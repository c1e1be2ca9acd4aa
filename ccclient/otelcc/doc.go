// Package otelcc tells OpenTelemetry what a ccclient.Client does: metrics that say whether there are tokens, and why
// not, and a span for each token request.
//
//	trace, err := otelcc.New(otelcc.Options{})
//	...
//	tokens, err := ccclient.New(ccclient.Config{
//		Issuer:   "https://login.example.com",
//		ClientID: "orders",
//		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
//		Trace:    trace,
//	})
//
// # Metrics
//
// The semantic conventions (1.44) have nothing for OAuth. These names are close to those for HTTP clients:
//
//	oauth.client.token.request.duration  histogram, s   attempts at token requests
//	oauth.client.token.served            counter        tokens handed out, by oauth.client.source
//	oauth.client.token.wait.duration     histogram, s   calls of Token that had to wait, by oauth.client.label
//	oauth.client.api.rejections          counter        rejected tokens at APIs, by oauth.client.healed
//	oauth.client.dpop.nonce_retries      counter        requests that were repeated with a DPoP nonce
//	oauth.client.store.duration          histogram, s   calls of the Store, by oauth.client.store.operation
//	oauth.client.token.remaining         gauge, s       what is left of a token's life; 0: there is none
//	oauth.client.cooldown                gauge, s       for how long a server is still left alone; 0: it is not
//
// A token request has the attributes server.address, server.port, oauth.grant_type, oauth.client.reason (cold, ahead,
// expired, rejected, forced), oauth.client.label and http.response.status_code. What has failed has error.type: the
// OAuth error code, else the status, else what kind of error it was (timeout, canceled, name_resolution,
// connection_refused, connection_cut, tls, expired, closed, or _OTHER). The source of a token is memory, flight (the
// request of another caller), store or server. Rejections and nonces have server.address and server.port.
//
// The gauges are by oauth.client.label; of several tokens with one label they tell of the one that is worst off, and
// not of those that nobody has asked for. Reading them takes about a microsecond for each token that is held.
//
// # Spans
//
// A token request is a client span under the one of the call that made it necessary, with http.request.resend_count on
// further attempts. A refresh in the background is the root of a trace of its own, with a link to the span of the call
// that set it off, since that does not wait for it. A fetch of the issuer's metadata is a client span as well.
//
// # What is not told
//
// Never a token or a secret; the client id only with [Options].ClientID. The values of all attributes are few, and not
// chosen by servers: an error code that is not registered is told as its status. The labels are the program's: keep
// them few, see ccclient.Target.
package otelcc
