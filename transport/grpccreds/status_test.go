package grpccreds_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// code returns the code of an RPC's error, which must be one of gRPC's kind with the prefix at most once.
func code(t *testing.T, err error) string {
	t.Helper()
	st, ok := status.FromError(err)
	if !ok {
		t.Errorf("%v (%T) is no status", err, err)
	}
	if st.Code() != status.Code(err) {
		t.Errorf("FromError says %v, Code %v", st.Code(), status.Code(err))
	}
	if n := strings.Count(st.Message(), "ccclient: "); n > 1 ||
		n == 1 && !strings.HasPrefix(st.Message(), "ccclient: ") {
		t.Errorf("the prefix is not in front, once: %s", st.Message())
	}
	return st.Code().String()
}

// timeout is a service config that gives each RPC 500 ms; if not on, none.
func timeout(on bool) grpc.DialOption {
	if !on {
		return grpc.EmptyDialOption{}
	}
	return grpc.WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"timeout":"0.5s"}]}`)
}

func TestTokenServerThatIsDownMakesUnavailable(t *testing.T) {
	for name, fail := range map[string]func(r *rig){
		"503":              func(r *rig) { r.as.SetDown(503) },
		"429":              func(r *rig) { r.as.SetDown(429) },
		"connection reset": func(r *rig) { r.as.SetDown(cctest.NoAnswer) },
		"hangs":            func(r *rig) { r.as.SetDelay(time.Hour) },
	} {
		for kind, rpc := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					fail(r)
					err := rpc(t.Context(), r.rpc, "x")
					equal(t, "code", code(t, err), "Unavailable")
					if _, ok := errors.AsType[*ccclient.Error](err); !ok {
						t.Errorf("no *ccclient.Error in %v", err)
					}
					equal(t, "sent", r.attempts.Load(), 0)
				})
			})
		}
	}
}

func TestRefusedConnectionMakesUnavailable(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	c, err := ccclient.New(ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: "client",
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString("secret")),
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: refuse}},
		Retry:      ccclient.Retry{MaxAttempts: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	equal(t, "code", code(t, inMemory(t, c)), "Unavailable")
}

func TestRefusedClientMakesUnauthenticated(t *testing.T) {
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.as.FailNextWith(1, 401, http.Header{"Content-Type": {"application/json"}},
					[]byte(`{"error":"invalid_client","error_description":"unknown"}`))
				err := rpc(t.Context(), r.rpc, "x")
				equal(t, "code", code(t, err), "Unauthenticated")
				if !errors.Is(err, ccclient.InvalidClient) {
					t.Errorf("no invalid_client in %v", err)
				}
				equal(t, "token requests", r.as.Stats().TokenRequests, 1)
				equal(t, "sent", r.attempts.Load(), 0)
			})
		})
	}
}

func TestRejectionWithTheTokenServerDownIsUnavailable(t *testing.T) {
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.warm(t)
				r.revoke(t)
				r.as.SetDown(503)
				err := rpc(t.Context(), r.rpc, "x")
				equal(t, "code", code(t, err), "Unavailable")
				if e, ok := errors.AsType[*ccclient.Error](err); !ok || e.StatusCode != 503 {
					t.Errorf("no 503 in %v", err)
				}
				if !strings.Contains(err.Error(), "rejected") {
					t.Errorf("%v does not say that the token was rejected", err)
				}
				r.as.SetDown(0)
				time.Sleep(long)
				if err := rpc(t.Context(), r.rpc, "x"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestCallersCancellationIsCanceled(t *testing.T) {
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.as.SetDelay(time.Hour)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				err := rpc(ctx, r.rpc, "x")
				equal(t, "code", code(t, err), "Canceled")
			})
		})
	}
}

// source is a Source that is no Invalidator.
type source func(ctx context.Context) (*oauth2.Token, error)

func (s source) Token(ctx context.Context) (*oauth2.Token, error) { return s(ctx) }

func fails(err error) source {
	return func(context.Context) (*oauth2.Token, error) { return nil, err }
}

func gives(tok *oauth2.Token) source {
	return func(context.Context) (*oauth2.Token, error) { return tok, nil }
}

// inMemory makes an RPC with a token of s to a server over TLS, and returns its error.
func inMemory(t *testing.T, s grpccreds.Source) error {
	t.Helper()
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	rpc, _ := newAPI(t, as, bufconn.Listen(1<<16)).dial(t, grpccreds.DialOptions(s, grpccreds.Options{})...)
	return kinds["unary"](t.Context(), rpc, "x")
}

type temporary bool

func (temporary) Error() string     { return "no luck" }
func (e temporary) Temporary() bool { return bool(e) }

func TestErrorsOfOtherSourcesHaveTheirCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want codes.Code
	}{
		{temporary(true), codes.Unavailable},
		{temporary(false), codes.Unauthenticated},
		{fmt.Errorf("wrapped: %w", temporary(true)), codes.Unavailable},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, codes.Unavailable},
		{context.DeadlineExceeded, codes.Unavailable}, // not the RPC's
		{&oauth2.RetrieveError{Response: &http.Response{StatusCode: 503}}, codes.Unavailable},
		{&oauth2.RetrieveError{Response: &http.Response{StatusCode: 429}}, codes.Unavailable},
		{&oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}}, codes.Unauthenticated},
		{status.Error(codes.Unavailable, "a source that speaks gRPC"), codes.Unavailable},
		{status.Error(codes.NotFound, "a source that speaks gRPC"), codes.Unauthenticated},
		{errors.New("whatever"), codes.Unauthenticated},
		{errors.New("ccclient: one prefix is enough"), codes.Unauthenticated},
	} {
		err := inMemory(t, fails(tc.err))
		equal(t, tc.err.Error(), code(t, err), tc.want.String())
		if !errors.Is(err, tc.err) {
			t.Errorf("%v is not in %v", tc.err, err)
		}
	}
}

func TestTokensThatCannotBeSentAreErrorsThatSaySo(t *testing.T) {
	for name, tc := range map[string]struct {
		source grpccreds.Source
		says   string
		is     error
	}{
		"no source":   {nil, "no Source", nil},
		"no token":    {gives(nil), "empty", nil},
		"empty":       {gives(&oauth2.Token{}), "empty", nil},
		"DPoP":        {gives(&oauth2.Token{AccessToken: canary, TokenType: "DPoP"}), "DPoPKey", transport.ErrTokenType},
		"MAC":         {gives(&oauth2.Token{AccessToken: canary, TokenType: "MAC"}), `"MAC"`, transport.ErrTokenType},
		"line breaks": {gives(&oauth2.Token{AccessToken: canary + "\r\n"}), "character", nil},
	} {
		err := inMemory(t, tc.source)
		equal(t, name, code(t, err), "Unauthenticated")
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v does not say %s", name, err, tc.says)
		}
		if tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: %v is not %v", name, err, tc.is)
		}
		hidden(t, err)
	}
}

const canary = "canary-7d1f"

// hidden checks that nothing of the canary is in any printed form of v.
func hidden(t *testing.T, v any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if strings.Contains(fmt.Sprintf(verb, v), canary) {
			t.Errorf("%s of %T shows the token", verb, v)
		}
	}
}

func TestNoTokenIsInWhatIsPrinted(t *testing.T) {
	tok := &oauth2.Token{AccessToken: canary}
	creds := grpccreds.Credentials(gives(tok), grpccreds.Options{InsecureTransport: true})
	if md, err := creds.GetRequestMetadata(t.Context(), "https://api.example.com/service"); err != nil || md["authorization"] != "Bearer "+canary {
		t.Fatal(md, err)
	}
	hidden(t, creds)
	err := inMemory(t, gives(tok)) // rejected: the server does not know it
	equal(t, "code", code(t, err), "Unauthenticated")
	hidden(t, err)
}
