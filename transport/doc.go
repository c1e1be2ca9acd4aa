// Package transport spends tokens: an [http.RoundTripper] that adds one to each request and has it replaced when the
// server rejects it.
//
// A [Transport] asks its [Source] for every request, so the source should keep tokens, as ccclient's Client does; the
// transport itself keeps the last token that it was given, with its header, and the one before, to keep both out of
// errors. It knows nothing of expiry and of token endpoints. [docs/architecture.md] follows a request through it.
//
// # Guarantees
//
//   - The caller's request is not modified, and its body is closed exactly once.
//   - A token is sent to https URLs and to loopback only, to allowed hosts only, and never to a redirect's target in
//     another origin, nor to what comes after that. This is decided before a token is asked for, by all that net/http
//     decides by: the URL's host, the Host field and the request line have to agree, or be allowed one by one.
//   - What may not have the token can go by a way of its own, Outside, that shows no client certificate.
//   - Nothing is sent without the token, except what a redirect leads elsewhere and what carries an Authorization
//     header of the caller's own, or with [DPoP] a proof of the caller's own, in any spelling. No field goes out twice.
//   - A request is sent a second time only if the server has rejected the token of the first, or, with Challenged,
//     asked for one that has more; if another token is there; and if the body can be sent again. That is one repetition
//     in all. With [DPoP] there is one more for the nonce that a server may ask for. Otherwise the response is the
//     caller's, untouched.
//   - Neither errors nor the printed form of any type here holds a token or a key.
//
// # Errors
//
// The errors of this package begin with "ccclient: ", as all of the module do that a program sees; those of
// ccclient's Client, which begin so themselves, get no second prefix. An error of Base is returned as it is, unless
// it repeats the token (net/http quotes what it cannot read), or is too long or not fit to be printed. Whoever puts
// an error of this package into one that has the prefix already takes it off with [errors.Unwrap].
//
// # What it does not do
//
// It retries nothing but a token that was rejected or lacks something: not network errors, not 429, not 5xx. It does
// not time out: that is the context's business and [http.Client.Timeout]'s. It does not look into response bodies.
//
// # What is stable
//
// From v1.0.0 on the exported API changes as Go's own does. Texts of errors and printed values may change.
//
// [docs/architecture.md]: https://github.com/ccclient/go-ccclient/blob/main/docs/architecture.md
package transport
