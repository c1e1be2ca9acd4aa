// Package ccstatus shows what the tokens of a process are doing, as a page for people and as JSON for programs.
//
//	mux.Handle("/debug/tokens", ccstatus.Handler(client))
//
// It belongs on an internal port, as net/http/pprof does: it shows no token and no secret, but which servers a process
// talks to, and what they answer.
package ccstatus

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// perPage is how many tokens a page has.
const perPage = 100

// Handler returns a handler that answers with the tokens of clients, and of those that their For made: first the ones
// that want somebody's attention, 100 a page (?page=2). It answers with HTML, or with JSON where the request's Accept
// asks for application/json rather than for text/html: an object with the members time, total, page, pages, states (how
// many tokens are in each) and tokens, a list of [ccclient.TokenStatus], each with the state that the page shows.
//
// The page needs no script and nothing from elsewhere. The handler makes no token request, and takes GET and HEAD.
func Handler(clients ...*ccclient.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
			return
		}
		var all []ccclient.TokenStatus
		for _, c := range clients {
			all = append(all, c.Status()...)
		}
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		answer(w, newPage(all, number, time.Now()), wantsJSON(r.Header.Get("Accept")))
	})
}

func answer(w http.ResponseWriter, p *page, asJSON bool) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", policy)
	var body bytes.Buffer
	var err error
	if asJSON {
		h.Set("Content-Type", "application/json")
		e := json.NewEncoder(&body)
		e.SetIndent("", "  ")
		err = e.Encode(p)
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		err = layout.Execute(&body, p)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(body.Bytes()) // What fails here has nobody to be told.
}

// wantsJSON reports whether an Accept field asks for JSON rather than for HTML.
func wantsJSON(accept string) bool {
	html, json := quality(accept, "text/html"), quality(accept, "application/json")
	return json > 0 && json > html
}

// quality returns the weight that an Accept field gives to a media type by its name (RFC 9110, section 12.5.1).
func quality(accept, name string) float64 {
	for entry := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(entry)
		if err != nil || kind != name {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			return q
		}
		return 1
	}
	return 0
}
