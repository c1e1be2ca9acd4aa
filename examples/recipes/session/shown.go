package session

import (
	"context"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
)

// Shown remembers which token was shown to a server last, so that it can be replaced if the server refuses it.
type Shown struct {
	Client *ccclient.Client
	last   atomic.Pointer[oauth2.Token]
}

// AccessToken returns the token for a connection.
func (s *Shown) AccessToken(ctx context.Context) (string, error) {
	tok, err := s.Client.Token(ctx)
	if err != nil {
		return "", err
	}
	s.last.Store(tok)
	return tok.AccessToken, nil
}

// Refused says that the server has refused it.
func (s *Shown) Refused() {
	if tok := s.last.Load(); tok != nil {
		s.Client.Invalidate(tok)
	}
}
