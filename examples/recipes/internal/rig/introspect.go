package rig

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// Introspect asks an authorization server about a token, as a server of another protocol does (RFC 7662). It returns
// when the token has expired at the latest, since exp is whole seconds, and whether it is good.
func Introspect(as *cctest.Server, token string) (time.Time, bool) {
	form := url.Values{"token": {token}}.Encode()
	req := httptest.NewRequest(http.MethodPost, "https://"+ASHost+"/introspect", strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(cctest.DefaultClientID, cctest.DefaultClientSecret)
	w := httptest.NewRecorder()
	as.Handler().ServeHTTP(w, req)
	var answer struct {
		Active bool
		Exp    int64
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		return time.Time{}, false
	}
	return time.Unix(answer.Exp+1, 0), answer.Active
}
