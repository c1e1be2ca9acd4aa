package session_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
	"github.com/ccclient/go-ccclient/examples/recipes/session"
)

// A natsServer is nats-server itself. It takes the tokens of an authorization server, and ends a connection when its
// token expires.
type natsServer struct {
	*server.Server
	as *cctest.Server
}

func startNATS(t *testing.T, as *cctest.Server) *natsServer {
	t.Helper()
	s := &natsServer{as: as}
	var err error
	s.Server, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, CustomClientAuthentication: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("it does not start")
	}
	return s
}

// Check is asked for each connection.
func (s *natsServer) Check(c server.ClientAuthentication) bool {
	expiry, ok := rig.Introspect(s.as, c.GetOpts().Token)
	if ok {
		c.RegisterUser(&server.User{Username: "my-service", ConnectionDeadline: expiry})
	}
	return ok
}

// drop ends all connections, as a server does whose operator has revoked tokens.
func (s *natsServer) drop(t *testing.T) {
	t.Helper()
	conns, err := s.Connz(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range conns.Conns {
		if err := s.DisconnectClientByID(conn.Cid); err != nil {
			t.Error(err)
		}
	}
}

// echo sends a message to itself.
func echo(conn *nats.Conn) error {
	messages, err := conn.SubscribeSync("things")
	if err != nil {
		return err
	}
	defer messages.Unsubscribe()
	if err := conn.Publish("things", []byte("a thing")); err != nil {
		return err
	}
	if err := conn.FlushTimeout(patience); err != nil {
		return err
	}
	_, err = messages.NextMsg(patience)
	return err
}

func TestNATSLivesOn(t *testing.T) {
	as, client := newClient(t, cctest.Options{Lifetime: 2 * time.Second})
	s := startNATS(t, as)
	reconnected := make(chan struct{}, 100)
	conn, err := session.ConnectNATS(s.ClientURL(), client,
		nats.ReconnectWait(100*time.Millisecond),
		nats.ReconnectHandler(func(*nats.Conn) { reconnected <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := echo(conn); err != nil {
		t.Error(err)
	}
	as.SetLifetime(time.Hour)
	for _, step := range []struct {
		what   string
		happen func()
	}{
		{"expiry", func() {}}, // at which the server ends the connection
		{"revocation", func() { as.RevokeAll(); s.drop(t) }},
	} {
		before := as.Stats().TokenRequests
		step.happen()
		select {
		case <-reconnected:
		case <-time.After(patience):
			t.Fatalf("no connection after the %s: %v", step.what, conn.LastError())
		}
		if err := echo(conn); err != nil {
			t.Errorf("after the %s: %v", step.what, err)
		}
		if n := as.Stats().TokenRequests - before; n != 1 {
			t.Errorf("%d token requests after the %s", n, step.what)
		}
	}
}
