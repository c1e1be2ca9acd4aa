package ccclient

import (
	"errors"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// An inquiry is a token request as it was sent: what its answer is judged by.
type inquiry struct {
	request *Request   // as authenticated
	plain   url.Values // its form before that
	methods []string   // the authentication methods that the server lists, if it does
	dpop    bool       // a DPoP token was asked for
	sent    time.Time
}

// judge gives the token that an answer brings, or says what it is instead. It is
// a pure function of both.
func (q *inquiry) judge(a tokenresponse.Response) (*oauth2.Token, *failure) {
	m, err := a.Members()
	refusal, refused := m.Refusal()
	if a.OK() && err == nil && !refused {
		tok, err := m.Token(q.sent, a.Received, q.dpop)
		if err == nil {
			return tok, nil
		}
		return nil, q.unusable(a, err, m)
	}
	if a.OK() && err != nil {
		return nil, q.unusable(a, err, nil)
	}
	r := q.redactor(m)
	e := &Error{
		Code:        ErrorCode(refusal.Code),
		Description: r.Clean(refusal.Description),
		URI:         r.Clean(refusal.URI),
		StatusCode:  a.Status,
		RetryAfter:  a.RetryAfter(),
	}
	if page, ok := errors.AsType[tokenresponse.Unreadable](err); ok {
		e.Description = r.Clean(page.Title)
	}
	if !e.Code.registered() {
		e.Code = ErrorCode(r.Clean(refusal.Code))
	}
	e.Err = q.advice(e, a, err, r)
	f := q.failure(e)
	f.temporary, f.permanent = prospects(e.StatusCode, e.Code)
	return nil, f
}

// unusable is the failure of an answer that ought to bring a token and does not.
func (q *inquiry) unusable(a tokenresponse.Response, err error, m tokenresponse.Members) *failure {
	permanent := false
	switch e := err.(type) {
	case tokenresponse.Unreadable:
		e.Media, e.Title = q.redactor(nil).Clean(e.Media), ""
		err, permanent = e, e.HTML
	case tokenresponse.UnknownType:
		e.Name = q.redactor(m).Clean(e.Name)
		err, permanent = e, true
	}
	switch {
	case err == tokenresponse.ErrNotBound || err == tokenresponse.ErrNeedsKey:
		permanent = true
	case errors.Is(err, tokenresponse.ErrExpired):
		err = expired{err}
	}
	f := q.failure(&Error{StatusCode: a.Status, RetryAfter: a.RetryAfter(), Err: err})
	f.permanent = permanent
	return f
}

// failure wraps e with what the request was authenticated with.
func (q *inquiry) failure(e *Error) *failure {
	return &failure{err: e, method: q.request.method, used: q.request.fingerprint}
}

// redactor hides the request's credentials, and the tokens in a response's
// members.
func (q *inquiry) redactor(m tokenresponse.Members) *redact.Redactor {
	return redact.New(append(credentials(q.request, q.plain), m.Tokens()...)...)
}

// expired is a [tokenresponse.ErrExpired] that errors.Is also finds as [ErrExpired]. The two have the same text.
type expired struct{ error }

func (e expired) Unwrap() error { return e.error }

func (e expired) Is(target error) bool { return target == ErrExpired }
