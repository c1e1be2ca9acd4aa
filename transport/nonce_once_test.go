package transport_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

func TestTheNonceOfADemandIsWhatItIsMetWithWhateverOthersAreToldMeanwhile(t *testing.T) {
	d := newDPoP(t, p256(t))
	b := answers(nonce(401, "mine", wantNonce), nonce(200, "next"))
	req := request(t, "POST", "https://a.example/", strings.NewReader("x"))
	again := req.GetBody
	req.GetBody = func() (io.ReadCloser, error) {
		// A server may take each nonce only once: this one is another caller's.
		d.Learn(&http.Response{Header: http.Header{"Dpop-Nonce": {"theirs"}}, Request: req})
		return again()
	}
	resp, _ := roundTrip(t, &transport.Transport{Source: bound("token"), Base: b, DPoP: d}, req)
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "nonces", proofs(t, b), "<nil> mine")
	equal(t, "latest", sign(t, d, request(t, "GET", "https://a.example/", nil), "").claims["nonce"], any("next"))
}
