package transport

import (
	"fmt"
	"net/http"
	"testing"
)

func TestNumberOfOriginsWithNonceIsBounded(t *testing.T) {
	var n nonces
	for i := range 2 * maxNonceOrigins {
		n.learn(fmt.Sprintf("https://%d.example", i), http.Header{"Dpop-Nonce": {"n"}})
	}
	if len(n.of) != maxNonceOrigins {
		t.Errorf("%d origins", len(n.of))
	}
}
