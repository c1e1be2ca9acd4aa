package ccclient

import (
	"context"
	"errors"
	"net/http"

	"github.com/ccclient/go-ccclient/cache"
)

// A failure is an [Error] with what the cache asks of it, in methods that Error
// cannot have beside its field RetryAfter. It reads, compares and unwraps as
// the Error does.
type failure struct {
	err *Error

	temporary  bool // the same request may do better soon
	permanent  bool // the same request cannot do better
	wantsNonce bool // it may do better at once, with the DPoP nonce that came

	// method and used are what the request was authenticated with.
	method *method
	used   fingerprint
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// CoolDown tells the cache how long to leave the server alone.
func (f *failure) CoolDown() cache.CoolDown {
	return cache.CoolDown{RetryAfter: f.err.RetryAfter, Permanent: f.permanent}
}

// Outdated reports whether the secret that was refused, or could not be had, is
// another one by now. While the server or the network is at fault the source of
// the secret is left in peace.
func (f *failure) Outdated(ctx context.Context) bool {
	return !f.temporary && f.method.rotated(ctx, f.used)
}

// refused reports whether the server may not have liked the credentials. Servers
// say so in several ways: Keycloak with unauthorized_client, Auth0 with
// access_denied, others with a bare 403.
func (f *failure) refused() bool {
	return errors.Is(f.err, InvalidClient) || f.err.Code == UnauthorizedClient || f.err.Code == AccessDenied ||
		f.err.StatusCode == http.StatusUnauthorized || f.err.StatusCode == http.StatusForbidden
}

// prospects tells what another attempt at a request that was answered so may
// bring: it may do better soon, or it cannot do better without a change.
func prospects(status int, code ErrorCode) (temporary, permanent bool) {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, false // whatever the code: quota errors come as invalid_request too
	}
	switch code {
	case InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType, InvalidScope,
		AccessDenied, InvalidTarget, InvalidAuthorizationDetails:
		return false, true // also with a 500, which some servers send for an unknown client
	case TemporarilyUnavailable:
		return true, false
	case ServerError, UseDPoPNonce, InvalidDPoPProof:
		return status >= 500, false
	}
	return status >= 500, 300 <= status && status < 500
}
