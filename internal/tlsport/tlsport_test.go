package tlsport_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/tlsport"
)

func TestAnswersOfPortsThatSpeakTLSAreKnown(t *testing.T) {
	for _, body := range []string{
		"Client sent an HTTP request to an HTTPS server.\n",
		"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
		"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
		"Bad Request\r\nThis combination of host and port requires TLS.\r\n",
	} {
		if !tlsport.Says(400, []byte(body)) {
			t.Errorf("%q is not known", body)
		}
		if tlsport.Says(403, []byte(body)) {
			t.Errorf("%q is taken for one with another status", body)
		}
	}
	if tlsport.Says(400, []byte(`{"error":"invalid_request"}`)) {
		t.Error("a refusal is taken for one")
	}
}

func TestServersOfGoAnswerSo(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	resp, err := http.Get(strings.Replace(server.URL, "https:", "http:", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !tlsport.Says(resp.StatusCode, body) {
		t.Errorf("%d %q, %v", resp.StatusCode, body, err)
	}
}

func TestAlertInPlaceOfResponseIsKnown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() { // ends with ln
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			conn.Write([]byte("\x15\x03\x03\x00\x02\x02\x50"))
			conn.Close()
		}
	}()
	resp, err := http.Get("http://" + ln.Addr().String())
	if err == nil {
		resp.Body.Close()
		t.Fatal("no error")
	}
	if !tlsport.Alerts(err) {
		t.Error(err)
	}
}
