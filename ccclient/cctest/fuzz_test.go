package cctest_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// macByHand makes a JWT without go-jose, which refuses secrets that are too short.
func macByHand(t testing.TB, alg, secret string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[alg],
		[]byte(secret))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// No request whatever makes the server panic or answer with a fault of its own, and none gets a token without a
// secret that the fuzzer does not know.
func FuzzTokenRequest(f *testing.F) {
	key := newEC(f, elliptic.P256())
	o := cctest.Options{Clients: []cctest.Registration{
		{ID: "c", Secret: longKey, Keys: map[string]crypto.PublicKey{"": key.Public()}},
	}}
	f.Add("Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA==",
		"grant_type=client_credentials", "")
	f.Add("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW", "grant_type=client_credentials&scope=a", "")
	f.Add("", "client_assertion_type="+jwtBearer+"&client_assertion="+macByHand(f, "HS256", "x", claims("c", nil)), "")
	other := newEC(f, elliptic.P256())
	f.Add("", "client_assertion_type="+jwtSPIFFE+"&client_assertion="+sign(f, other, "ES256", nil, claims("c", nil)),
		"")
	f.Add("Basic Yzpj", "client_id=c", proof(f, other, "POST", tokenURL, nil, nil))
	f.Fuzz(func(t *testing.T, authorization, body, proof string) {
		r := httptest.NewRequest(http.MethodPost, tokenURL, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if proof != "" {
			r.Header.Set("DPoP", proof)
		}
		w := httptest.NewRecorder()
		cctest.NewServer(o).Handler().ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	})
}

// No DPoP header makes the resource panic, or lets a token pass that is bound to a key that the fuzzer does not know.
func FuzzProof(f *testing.F) {
	key, other := newEC(f, elliptic.P256()), newEC(f, elliptic.P256())
	s := cctest.NewServer(cctest.Options{})
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {"client"},
		"client_secret": {"secret"}}.Encode()
	r := httptest.NewRequest(http.MethodPost, tokenURL, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("DPoP", proof(f, key, "POST", tokenURL, nil, nil))
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		f.Fatalf("answered %d %s", w.Code, w.Body)
	}
	token, _ := answer["access_token"].(string)
	f.Add(proof(f, other, "GET", "https://api.example/things", nil, map[string]any{"ath": "x"}))
	f.Add(proof(f, key, "GET", "https://api.example/other", nil, nil))
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjpudWxsfQ.e30.AA")
	f.Fuzz(func(t *testing.T, proof string) {
		r := httptest.NewRequest(http.MethodGet, apiURL, nil)
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", proof)
		w := httptest.NewRecorder()
		s.Protect(ok).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("answered %d", w.Code)
		}
	})
}
