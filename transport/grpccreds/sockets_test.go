package grpccreds_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newSocketRig is a rig whose parts, the authorization server too, speak TLS over sockets, in real time.
func newSocketRig(t *testing.T, lifetime time.Duration) *rig {
	t.Helper()
	as := cctest.NewServer(cctest.Options{TLS: true, Lifetime: lifetime})
	t.Cleanup(as.Close)
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(), ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: as.ClientTLS()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	r := &rig{api: newAPI(t, as, listen(t)), client: client}
	r.rpc, r.conn = r.dial(t, grpccreds.DialOptions(client, grpccreds.Options{AllowedHosts: []string{"127.0.0.1"}})...)
	return r
}

func TestThousandRPCsOverTLSAndSockets(t *testing.T) {
	for kind, rpc := range kinds {
		for event, happen := range map[string]func(t *testing.T, r *rig){
			"first":      func(*testing.T, *rig) {},
			"revocation": func(t *testing.T, r *rig) { r.warm(t); r.revoke(t) },
			"expiry": func(t *testing.T, r *rig) {
				r.as.SetLifetime(time.Second)
				r.warm(t)
				r.as.SetLifetime(time.Hour)
				time.Sleep(time.Second) // as long as the token lives
			},
			"hang": func(t *testing.T, r *rig) { r.warm(t); r.revoke(t); r.as.SetDelay(time.Second) },
		} {
			t.Run(kind+", "+event, func(t *testing.T) {
				r := newSocketRig(t, time.Hour)
				happen(t, r)
				before := r.as.Stats().TokenRequests
				together(t, func(text string) error { return rpc(t.Context(), r.rpc, text) })
				equal(t, "token requests", r.as.Stats().TokenRequests-before, 1)
			})
		}
	}
}

func TestDeadlineHoldsOverSockets(t *testing.T) {
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newSocketRig(t, time.Hour)
			r.as.SetDelay(time.Hour)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			equal(t, "code", code(t, rpc(ctx, r.rpc, "x")), "DeadlineExceeded")
			equal(t, "sent", r.attempts.Load(), 0)
		})
	}
}
