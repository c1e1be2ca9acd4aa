package ccclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccclient/go-ccclient/internal/outlook"
)

// asker returns an exchanger that does not retry, for tests over real sockets.
func asker(client *http.Client) *exchanger {
	return newExchanger(exchanger{
		clientID: "client", auth: ClientSecretPost(SecretString("secret")), client: client,
		retry: Retry{MaxAttempts: 1},
	})
}

func quietly(h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func TestConnectionIsUsedAgainWhateverWasAnswered(t *testing.T) {
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { io.WriteString(w, `{"access_token":"abc"}`) },
		func(w http.ResponseWriter) {
			w.WriteHeader(401)
			io.WriteString(w, strings.Repeat("x", 100<<10))
		},
		func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) },
		func(w http.ResponseWriter) { w.WriteHeader(503) },
	}
	var n, connections atomic.Int32
	s := quietly(func(w http.ResponseWriter, r *http.Request) { answers[int(n.Add(1)-1)%len(answers)](w) })
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	x := asker(s.Client())
	for range 3 * len(answers) {
		x.at(s.URL).fetch(t.Context(), nil) // most are to fail
	}
	if n.Load() != int32(3*len(answers)) || connections.Load() != 1 {
		t.Errorf("%d requests over %d connections", n.Load(), connections.Load())
	}
}

func TestCertificateThatDoesNotVerifyIsNotTriedAgain(t *testing.T) {
	var served atomic.Int32
	s := quietly(func(http.ResponseWriter, *http.Request) { served.Add(1) })
	s.StartTLS()
	defer s.Close()

	strangers := &http.Transport{}
	defer strangers.CloseIdleConnections()
	_, err := asker(&http.Client{Transport: strangers}).at(s.URL).fetch(t.Context(), nil)
	e, _ := errors.AsType[*Error](err)
	if e == nil || e.Temporary() || !strings.Contains(err.Error(), "RootCAs in Config.TLS") {
		t.Errorf("an unknown CA: %v", err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("%v has lost its cause", err)
	}

	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	named := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "as.other.invalid"}}
	defer named.CloseIdleConnections()
	_, err = asker(&http.Client{Transport: named}).at(s.URL).fetch(t.Context(), nil)
	if e, _ := errors.AsType[*Error](err); e == nil || e.Temporary() {
		t.Errorf("another host: %v", err)
	}
	if served.Load() != 0 {
		t.Error("the secret was sent")
	}
}

func TestHTTPWhereHTTPSWasMeantIsTold(t *testing.T) {
	s := quietly(func(http.ResponseWriter, *http.Request) {})
	s.Start()
	defer s.Close()
	_, err := asker(s.Client()).at(strings.Replace(s.URL, "http:", "https:", 1)).fetch(t.Context(), nil)
	if !errors.Is(err, http.ErrSchemeMismatch) || !strings.Contains(err.Error(), "check the scheme of TokenURL") {
		t.Error(err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		t.Error("the error holds a connection")
	}
}

func TestRefusedConnectionIsTemporary(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = asker(&http.Client{}).at("http://"+address).fetch(t.Context(), nil)
	e, _ := errors.AsType[*Error](err)
	if e == nil || e.foresees() != outlook.Passing || !strings.Contains(err.Error(), address) {
		t.Error(err)
	}
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("%v has lost its cause", err)
	}
}
