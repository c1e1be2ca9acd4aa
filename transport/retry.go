package transport

import (
	"context"
	"net/http"
)

// retryRejected returns resp, unless that rejects the token or asks for more than it has, or rejects the proof while it
// brings a nonce, and req can be sent again. Token and proof have a single retry each; the answer to the last is
// returned whatever it is.
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
		case !renewed:
			if next = t.another(req.Context(), cred, resp, body.possible()); next == nil {
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

// another returns the credential of another token, with which to answer resp, the answer to cred; nil if resp is not
// about the token, there is none to be had, or the request cannot be replayed. Whether it can or not, the sources are
// told.
func (t *Transport) another(
	ctx context.Context, cred *credential, resp *http.Response, replayable bool,
) (next *credential) {
	if source := t.challenged(ctx, cred, resp); source != nil {
		next = t.other(ctx, source, cred)
	}
	if next == nil && t.rejected(resp) {
		if source, ok := t.Source.(Invalidator); ok {
			source.Invalidate(cred.token)
		}
		if replayable {
			next = t.other(ctx, t.Source, cred)
		}
	}
	if !replayable {
		return nil
	}
	return next
}

// challenged returns the source of a token that has what resp asks for, nil if there is none.
func (t *Transport) challenged(ctx context.Context, cred *credential, resp *http.Response) Source {
	if t.Challenged == nil ||
		resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return nil
	}
	return t.Challenged(ctx, cred.token, resp)
}

// other returns the credential of the source's token, nil if it has none but that of cred.
func (t *Transport) other(ctx context.Context, source Source, cred *credential) *credential {
	tok, err := source.Token(ctx)
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
