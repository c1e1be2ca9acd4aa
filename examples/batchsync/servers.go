package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// perPage is how many records the APIs have on a page.
const perPage = 100

// servers are the authorization server and the two APIs.
type servers struct {
	auth           *cctest.Server
	source, target *httptest.Server
	records        int
	outage         time.Duration // of the authorization server, once half of the records have arrived

	calls, failed atomic.Int64 // that reached an API with a good token; that were answered with 500 or above
	down          sync.Once

	mu      sync.Mutex  // guards what follows
	arrived map[int]int // how often each record did
}

func startServers(lifetime time.Duration, records int) *servers {
	s := &servers{
		auth: cctest.NewServer(cctest.Options{Lifetime: lifetime}), records: records, arrived: map[int]int{},
	}
	source := http.NewServeMux()
	source.HandleFunc("GET /records", s.list)
	s.source = httptest.NewServer(s.auth.Protect(s.counted(source)))
	target := http.NewServeMux()
	target.HandleFunc("PUT /records/{id}", s.put)
	target.HandleFunc("GET /records", s.has)
	s.target = httptest.NewServer(s.auth.Protect(s.counted(target)))
	return s
}

func (s *servers) close() {
	s.source.Close()
	s.target.Close()
	s.auth.Close()
}

func (s *servers) tokenURL() string   { return s.auth.TokenURL() }
func (s *servers) tokenRequests() int { return int(s.auth.Stats().TokenRequests) }

func (s *servers) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		h.ServeHTTP(w, r)
	})
}

// page returns the first record of the page that r asks for, and the one after the last.
func (s *servers) page(r *http.Request) (from, to int, ok bool) {
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	from = page * perPage
	return from, min(from+perPage, s.records), err == nil && page >= 0 && from < s.records
}

// list answers with the records of a page, or with how many pages there are.
func (s *servers) list(w http.ResponseWriter, r *http.Request) {
	from, to, ok := s.page(r)
	if !ok {
		json.NewEncoder(w).Encode(map[string]int{"pages": (s.records + perPage - 1) / perPage})
		return
	}
	var page []record
	for id := from; id < to; id++ {
		page = append(page, record{id, fmt.Sprintf("record %d", id)})
	}
	json.NewEncoder(w).Encode(page)
}

// has answers with the ids of a page's records that have arrived.
func (s *servers) has(w http.ResponseWriter, r *http.Request) {
	from, to, _ := s.page(r)
	ids := []int{}
	s.mu.Lock()
	for id := from; id < to; id++ {
		if s.arrived[id] > 0 {
			ids = append(ids, id)
		}
	}
	s.mu.Unlock()
	json.NewEncoder(w).Encode(ids)
}

// put takes a record.
func (s *servers) put(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		s.failed.Add(1)
		http.Error(w, "no such record", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.arrived[id]++
	half := len(s.arrived) >= s.records/2
	s.mu.Unlock()
	if half && s.outage > 0 {
		s.down.Do(func() {
			s.auth.SetDown(http.StatusServiceUnavailable)
			s.auth.RevokeAll()
			time.AfterFunc(s.outage, func() { s.auth.SetDown(0) })
		})
	}
	w.WriteHeader(http.StatusNoContent)
}

// received returns how many records have arrived, and how many more than once.
func (s *servers) received() (all, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.arrived {
		if n > 1 {
			twice++
		}
	}
	return len(s.arrived), twice
}
