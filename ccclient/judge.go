package ccclient

import (
	"errors"
	"net/url"
	"time"

	"golang.org/x/oauth2"
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
func (q *inquiry) judge(a answer) (*oauth2.Token, *failure) {
	m, err := a.members()
	refusal, refused := errorIn(m)
	if a.status/100 == 2 && err == nil && !refused {
		tok, err := parseToken(m, q.dpop, q.sent, a.received)
		if err == nil {
			return tok, nil
		}
		return nil, q.unusable(a, err, m)
	}
	if a.status/100 == 2 && err != nil {
		return nil, q.unusable(a, err, nil)
	}
	r := q.redactor(m)
	e := &Error{
		Code:        ErrorCode(refusal.code),
		Description: r.clean(refusal.description),
		URI:         r.clean(refusal.uri),
		StatusCode:  a.status,
		RetryAfter:  retryAfter(a.header, a.received),
	}
	if page, ok := errors.AsType[unreadable](err); ok {
		e.Description = r.clean(page.title)
	}
	if !e.Code.registered() {
		e.Code = ErrorCode(r.clean(refusal.code))
	}
	e.Err = q.advice(e, a, err, r)
	f := q.failure(e)
	f.temporary, f.permanent = prospects(e.StatusCode, e.Code)
	return nil, f
}

// unusable is the failure of an answer that ought to bring a token and does not.
func (q *inquiry) unusable(a answer, err error, m map[string]any) *failure {
	permanent := false
	switch e := err.(type) {
	case unreadable:
		e.media, e.title = q.redactor(nil).clean(e.media), ""
		err, permanent = e, e.html
	case unknownType:
		e.name = q.redactor(m).clean(e.name)
		err, permanent = e, true
	}
	if err == errNotBound || err == errNeedsKey {
		permanent = true
	}
	f := q.failure(&Error{StatusCode: a.status, RetryAfter: retryAfter(a.header, a.received), Err: err})
	f.permanent = permanent
	return f
}

// failure wraps e with what the request was authenticated with.
func (q *inquiry) failure(e *Error) *failure {
	return &failure{err: e, method: q.request.method, used: q.request.fingerprint}
}

// redactor hides the request's credentials, and the tokens in a response's
// members.
func (q *inquiry) redactor(m map[string]any) *redactor {
	secrets := credentials(q.request, q.plain)
	for _, name := range tokenNames {
		secrets = append(secrets, text(m[name]))
	}
	return newRedactor(secrets)
}
