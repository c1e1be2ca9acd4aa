package ccclient

import (
	"context"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

// A Trace hears of what a Client does, and of what those do that [Client.For] made of it: for metrics, spans and logs.
// Every func may be nil; what is nil costs nothing. A token from memory is no event and costs nothing in any case, but
// for being counted with Client, which takes some nanoseconds: see [Counts].
//
// The funcs may be called concurrently. No mutex is held meanwhile, and each call has a goroutine of its own, for which
// what comes next waits for 50 ms at most, and for no more than 10 ms after the end of ctx. So a func may use the very
// Client that it hears of: a call of Token that waits for what the func itself holds up goes on after 50 ms. One that
// hangs or panics harms nobody: what it would have returned is done without, and a panic is logged. Until it has
// returned other calls are not waited for, and while 16 hang there are none. What needs longer belongs on a goroutine
// of the func's own.
//
// No info holds a secret, a token, or anything of a request or an answer but what [Error] has.
type Trace struct {
	// Client is called by New with the client that it made; closed, which may be nil, when that is closed. It is for
	// what is read rather than heard of, see [Client.Status], and sets Config.Cache.CountServed.
	Client func(c *Client) (closed func())

	// TokenRequest is called for each attempt at a token request. The values of the context that it returns are those
	// of the request; a nil one changes nothing. done, which may be nil, is called when the attempt has ended. ctx has
	// the values of the context of the call of Token that made the request necessary; see Reason for those of which
	// nobody waits. A context that is returned does not end the request.
	TokenRequest func(ctx context.Context, i TokenRequestInfo) (_ context.Context, done func(TokenRequestDone))

	// Discovery is called for each fetch of the issuer's metadata, as TokenRequest is for a token.
	Discovery func(ctx context.Context, i DiscoveryInfo) (_ context.Context, done func(DiscoveryDone))

	// Waited is called for each caller of Token that had to wait, when that has ended.
	Waited func(ctx context.Context, i WaitInfo)

	// Served is called for each caller of Token that got a token which was not in memory.
	Served func(ctx context.Context, i ServedInfo)

	// Granted is called when a token has fewer scopes than were asked for: once, until others are missing.
	Granted func(ctx context.Context, i GrantInfo)

	// Rejected is called for each response of an API that rejected a token or a DPoP proof, or asked for a token of
	// another kind, when it is known what came of that. It is called by the transports that the Client made.
	Rejected func(ctx context.Context, i RejectInfo)

	// CoolDown is called when a token request, with all its attempts, has failed, so that the server is left alone for
	// a while; and when that has ended with a token.
	CoolDown func(ctx context.Context, i CoolDownInfo)

	// Store is called after each call of Config.Cache.Store.
	Store func(ctx context.Context, i StoreInfo)
}

// What package cache knows as well.
type (
	Reason       = cache.Reason
	WaitInfo     = cache.WaitInfo
	ServedInfo   = cache.ServedInfo
	CoolDownInfo = cache.CoolDownInfo
	StoreInfo    = cache.StoreInfo
)

// A TokenRequestInfo is about an attempt at a token request that begins.
type TokenRequestInfo struct {
	ClientID  string
	Label     string   // of the Target; empty if it has none
	Host      string   // of the token endpoint, without the port
	Port      int      // of the token endpoint
	Method    string   // of client authentication, as registered with IANA; or the type of an Auth of the user's own
	GrantType string   // the "grant_type" parameter
	Scopes    []string // that are asked for; do not modify them
	Reason    Reason   // why there is a token request
	Attempt   int      // 1 is the first
}

// A TokenRequestDone is how an attempt at a token request ended.
type TokenRequestDone struct {
	Took       time.Duration // from the authentication to the end of the answer
	StatusCode int           // of the answer; 0 if none came
	Code       ErrorCode     // the server's; empty if there is none
	Err        error         // an [*Error]; nil: there is a token
	Expiry     time.Time     // of the token
	Scopes     []string      // that were granted; nil if the server does not say
	Again      bool          // there is another attempt
	Wait       time.Duration // the pause before it
}

// A DiscoveryInfo is about a fetch of an issuer's metadata that begins.
type DiscoveryInfo struct {
	ClientID string
	Issuer   string
	Host     string // of the issuer, without the port
	Port     int
}

// A DiscoveryDone is how a fetch of metadata ended.
type DiscoveryDone struct {
	Took time.Duration
	Err  error // nil: there are new metadata
	Kept bool  // it failed, and the metadata of before stay in use, so that callers notice nothing
}

// A GrantInfo is about a token with fewer scopes than were asked for (RFC 6749, section 5.1).
type GrantInfo struct {
	Label   string
	Host    string // of the server
	Asked   []string
	Granted []string // as far as they can be shown
	Missing []string
}

// A RejectInfo is about a response of an API that did not like the token or the proof.
type RejectInfo struct {
	Label      string
	Host       string // of the API, without the port
	Port       int
	StatusCode int
	Error      string // that of the challenge (RFC 6750, section 3.1; RFC 9449, section 7.1), if it is a registered one
	Nonce      bool   // the DPoP proof was refused, for want of a nonce or as invalid, and not the token
	Healed     bool   // the request was sent again, and that answer was none of these
}
