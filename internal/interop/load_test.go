package interop_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

// TestRevocationUnderLoadIsSeenByNobody revokes the token while many callers
// spend it; each gets its answer.
func TestRevocationUnderLoadIsSeenByNobody(t *testing.T) {
	need(t, oidcProvider)
	s := oidcProvider
	u := newUser(t, s, cell{config: ccclient.Config{
		TokenURL: s.tokenURL,
		ClientID: "basic",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(plainSecret)),
		Scopes:   []string{"read"},
	}})
	tok := u.token()

	var callers sync.WaitGroup
	for caller := range 20 {
		callers.Go(func() {
			for range 10 {
				resp, err := u.http.Get(u.api)
				if err != nil {
					t.Errorf("caller %d: %v", caller, err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("caller %d: %s", caller, resp.Status)
				}
			}
		})
	}
	if err := s.revoke(tok.AccessToken); err != nil {
		t.Fatal(err)
	}
	callers.Wait()
	u.spend()
	if u.rejected.Load() == 0 {
		t.Error("nobody spent the revoked token: the test has shown nothing")
	}
}
