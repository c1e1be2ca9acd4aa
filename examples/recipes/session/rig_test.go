package session_test

import (
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// patience bounds the wait for what happens by itself.
const patience = 30 * time.Second

// newClient returns an authorization server on loopback, whose tokens live so long, and a client of it. The servers
// beside it are real, and so is time.
func newClient(t *testing.T, o cctest.Options) (*cctest.Server, *ccclient.Client) {
	t.Helper()
	as := cctest.NewServer(o)
	t.Cleanup(as.Close)
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return as, client
}
