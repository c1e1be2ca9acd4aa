package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
	"github.com/ccclient/go-ccclient/examples/recipes/session"
)

// A postgres stands in for PostgreSQL 18: it speaks the SASL exchange OAUTHBEARER (RFC 7628) as that does, and answers
// the empty query. PostgreSQL itself needs a validator in C, which it does not come with.
type postgres struct {
	as       *cctest.Server
	listener net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

func startPostgres(t *testing.T, as *cctest.Server) *postgres {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postgres{as: as, listener: listener}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, conn)
			p.mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				if err := p.serve(conn); err != nil && !isEnd(err) {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.drop()
		serving.Wait()
	})
	return p
}

// isEnd reports whether an error means that a connection has ended.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// drop ends all connections.
func (p *postgres) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

// serve speaks with one client.
func (p *postgres) serve(conn net.Conn) error {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"OAUTHBEARER"}})
	if err := b.Flush(); err != nil {
		return err
	}
	if err := b.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
		return err
	}
	msg, err := b.Receive()
	if err != nil {
		return err
	}
	first, ok := msg.(*pgproto3.SASLInitialResponse)
	if !ok || first.AuthMechanism != "OAUTHBEARER" {
		return fmt.Errorf("the client said %#v", msg)
	}
	token, form := strings.CutPrefix(string(first.Data), "n,,\x01auth=Bearer ")
	token, end := strings.CutSuffix(token, "\x01\x01")
	if !form || !end {
		return errors.New("the client's first message has another form")
	}
	if _, good := rig.Introspect(p.as, token); !good {
		b.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte(`{"status":"invalid_token","scope":"things"}`)})
		return b.Flush()
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for {
		if err := b.Flush(); err != nil {
			return err
		}
		msg, err := b.Receive()
		if err != nil {
			return err
		}
		switch msg.(type) {
		case *pgproto3.Query:
			b.Send(&pgproto3.EmptyQueryResponse{})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Terminate:
			return nil
		default:
			return fmt.Errorf("the client said %#v", msg)
		}
	}
}

func TestPostgresLivesOn(t *testing.T) {
	as, client := newClient(t, cctest.Options{Lifetime: time.Second})
	p := startPostgres(t, as)
	url := "postgres://my-service@" + p.listener.Addr().String() + "/things?sslmode=disable&require_auth=oauth"
	db, err := session.NewPostgres(t.Context(), url, client)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := db.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	as.SetLifetime(time.Hour)
	tok, err := client.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(tok.Expiry))
	p.drop()
	db.Reset()
	if err := db.Ping(ctx); err != nil {
		t.Errorf("after an expiry: %v", err)
	}

	before := as.Stats().TokenRequests
	as.RevokeAll()
	p.drop()
	db.Reset()
	if err := db.Ping(ctx); err == nil || !strings.Contains(err.Error(), "invalid_token") {
		t.Errorf("the connection that met the revocation: %v", err)
	}
	if err := db.Ping(ctx); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if n := as.Stats().TokenRequests - before; n != 1 {
		t.Errorf("%d token requests after a revocation", n)
	}
}
