package transport

import (
	"context"
	"net/http"
)

// retryRejected returns resp, unless that rejects the token, or the proof while it brings a nonce, and req can be
// sent again. Each of the two has a single retry; the answer to the last is returned whatever it is.
func (t *Transport) retryRejected(
	req *http.Request, body replay, cred *credential, resp *http.Response,
) (*http.Response, error) {
	w := watch{t: t, req: req}
	defer w.end()
	w.answered(resp)
	// At most three sends: the first, one with another token, one with a nonce, in either order.
	var renewed, nonced bool
	for !renewed || t.DPoP != nil && !nonced {
		next, nonce := cred, ""
		switch learned := t.DPoP != nil && t.DPoP.Learn(resp); {
		case t.DPoP != nil && proofRefused(resp):
			if nonced || !learned || !body.possible() {
				return resp, nil
			}
			// This one, since others may have been told another meanwhile, and a server may take each only once.
			nonced, nonce = true, resp.Header.Get("DPoP-Nonce")
		case !renewed && t.rejected(resp):
			if next = t.invalidateAndRenew(req.Context(), cred, body.possible()); next == nil {
				return resp, nil
			}
			renewed = true
		default:
			return resp, nil
		}
		out, err := t.again(req, body, next, nonce)
		if err != nil {
			return resp, nil
		}
		drain(resp)
		if resp, err = t.send(t.base(), out, req); err != nil {
			return nil, err
		}
		w.answered(resp)
		cred = next
	}
	if t.DPoP != nil {
		t.DPoP.Learn(resp)
	}
	return resp, nil
}

// invalidateAndRenew tells the Source that the token of cred was rejected, whether the request can be replayed or not,
// and returns the credential of another token; nil if there is none to be had, or the request cannot be replayed.
func (t *Transport) invalidateAndRenew(ctx context.Context, cred *credential, replayable bool) *credential {
	if source, ok := t.Source.(Invalidator); ok {
		source.Invalidate(cred.token)
	}
	if !replayable {
		return nil
	}
	tok, err := t.Source.Token(ctx)
	if err != nil || ctx.Err() != nil || tok == nil || tok.AccessToken == cred.token.AccessToken {
		return nil
	}
	next, err := t.credential(tok)
	if err != nil {
		return nil
	}
	return next
}

// again returns req with a fresh copy of its body and with cred, ready to be sent. An empty nonce means the latest.
func (t *Transport) again(req *http.Request, body replay, cred *credential, nonce string) (*http.Request, error) {
	out := cred.authorize(req, countFields(req.Header))
	if err := body.rewind(out); err != nil {
		return nil, err
	}
	if t.DPoP != nil {
		if err := t.DPoP.sign(out, cred.hash, nonce); err != nil {
			closeBody(out)
			return nil, err
		}
	}
	return out, nil
}
