package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

func TestNumberOfOriginsWithNonceIsBounded(t *testing.T) {
	var n nonces
	for i := range 2 * maxNonceOrigins {
		n.learn(&url.URL{Scheme: "https", Host: fmt.Sprintf("%d.example", i)}, http.Header{"Dpop-Nonce": {"n"}})
	}
	if len(n.of) != maxNonceOrigins {
		t.Errorf("%d origins", len(n.of))
	}
}
