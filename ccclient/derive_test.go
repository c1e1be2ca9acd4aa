package ccclient_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestForReturnsTheSameClientForTheSameTarget(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		if r.For(ccclient.Target{}) != r.Client {
			t.Error("For nothing gives another client")
		}
		a := r.For(ccclient.Target{Scopes: []string{"a", "b"}})
		if a != r.For(ccclient.Target{Scopes: []string{"b", "a"}}) {
			t.Error("the order of scopes matters")
		}
		if a == r.For(ccclient.Target{Scopes: []string{"a"}}) || a == r.Client {
			t.Error("other scopes give the same client")
		}
		if a.For(ccclient.Target{Audience: "x"}) != r.For(ccclient.Target{Scopes: []string{"a", "b"}, Audience: "x"}) {
			t.Error("For of a derived client does not inherit")
		}
	})
}

func TestLabelIsInTheLogAndTellsNoTokensApart(t *testing.T) {
	var log bytes.Buffer
	configure := func(c *ccclient.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.token()
		if strings.Contains(log.String(), "label=") {
			t.Errorf("logged: %s", log.String())
		}
		d := r.For(ccclient.Target{Audience: "x", Label: "orders"})
		if _, err := d.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "label=orders") {
			t.Errorf("logged: %s", log.String())
		}
		if r.For(ccclient.Target{Audience: "x", Label: "another"}) != d || r.For(ccclient.Target{Audience: "x"}) != d {
			t.Error("the label tells clients apart")
		}
		if named := r.For(ccclient.Target{Label: "root"}); !strings.Contains(fmt.Sprint(named), `"root"`) {
			t.Errorf("labelled, it is %v", named)
		} else if tok, err := named.AccessToken(t.Context()); err != nil || tok != r.token() {
			t.Errorf("labelled, it has another token: %v", err)
		}
		r.wantRequests(2)
	})
}

func TestTokensOfDerivedClientsAreTheirOwn(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		seen := make(map[string]bool)
		for i := range 100 {
			c := r.For(ccclient.Target{Audience: "https://" + strconv.Itoa(i)})
			tok, err := c.Token(t.Context())
			if err != nil || seen[tok.AccessToken] {
				t.Fatalf("%d: %v, %v", i, tok, err)
			}
			seen[tok.AccessToken] = true
			again, _ := r.For(ccclient.Target{Audience: "https://" + strconv.Itoa(i)}).Token(t.Context())
			if again != tok {
				t.Errorf("%d: another token the second time", i)
			}
		}
		r.wantRequests(100)
	})
}

func TestWhatForLeavesOpenIsInherited(t *testing.T) {
	configure := func(c *ccclient.Config) {
		c.Scopes = []string{"a"}
		c.Audience = "aud"
		c.Resources = []string{"urn:r"}
		c.EndpointParams = url.Values{"x": {"1"}, "y": {"2"}}
	}
	for name, c := range map[string]struct {
		r    ccclient.Target
		want string
	}{
		"audience":            {ccclient.Target{Audience: "other"}, "audience=other&resource=urn%3Ar&scope=a&x=1&y=2"},
		"scopes":              {ccclient.Target{Scopes: []string{"b", "c"}}, "audience=aud&resource=urn%3Ar&scope=b+c&x=1&y=2"},
		"empty scopes":        {ccclient.Target{Scopes: []string{}, Audience: "other"}, "audience=other&resource=urn%3Ar&scope=a&x=1&y=2"},
		"empty resources":     {ccclient.Target{Resources: []string{}, Audience: "other"}, "audience=other&resource=urn%3Ar&scope=a&x=1&y=2"},
		"resources":           {ccclient.Target{Resources: []string{"urn:s"}}, "audience=aud&resource=urn%3As&scope=a&x=1&y=2"},
		"parameters merged":   {ccclient.Target{EndpointParams: url.Values{"y": {"3"}, "z": {"4"}}}, "audience=aud&resource=urn%3Ar&scope=a&x=1&y=3&z=4"},
		"parameter, no value": {ccclient.Target{EndpointParams: url.Values{"x": nil, "y": {}}}, "audience=aud&resource=urn%3Ar&scope=a&x=1&y=2"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
				d := r.For(c.r)
				if _, err := d.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				if d != r.For(c.r) {
					t.Error("the second time For gives another client")
				}
				form := r.as.TokenRequests()[0].Form
				form.Del("grant_type")
				if got := form.Encode(); got != c.want {
					t.Errorf("sent %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestForKeepsNothingOfItsArgument(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		req := ccclient.Target{Scopes: []string{"a"}, EndpointParams: url.Values{"x": {"1"}}}
		d := r.For(req)
		req.Scopes[0], req.EndpointParams["x"][0] = "changed", "changed"
		if _, err := d.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if form := r.as.TokenRequests()[0].Form; form.Get("scope") != "a" || form.Get("x") != "1" {
			t.Errorf("sent %v", form)
		}
	})
}

func TestFaultInTargetIsTheErrorOfToken(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		d := r.For(ccclient.Target{Scopes: []string{"a b"}, Resources: []string{"x"}})
		_, err := d.Token(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Scopes: ") || !strings.Contains(err.Error(), "Resources: ") {
			t.Errorf("got %v, want an error that names Scopes and Resources", err)
		}
		r.wantRequests(0)
	})
}

func TestForIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Cache.MaxKeys = 3 }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		client := func(aud string) *ccclient.Client { return r.For(ccclient.Target{Audience: aud}) }
		use := func(auds ...string) {
			for _, aud := range auds {
				if _, err := client(aud).Token(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.token()
		use("a", "b")
		a, b := client("a"), client("b")
		r.token()
		use("a", "c") // b makes room
		r.wantRequests(4)
		if client("a") != a {
			t.Error("a was forgotten")
		}
		use("a")
		r.token()
		r.wantRequests(4)
		for i := range 20 {
			client(strconv.Itoa(i))
		}
		if client("b") == b {
			t.Error("b is still remembered")
		}
		// One that is still held works on.
		if _, err := b.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestForMayBeCalledForEachRequest(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Cache.MaxKeys = 8 }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 200 {
					c := r.For(ccclient.Target{Audience: strconv.Itoa((i * j) % 13)})
					tok, err := c.Token(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if j%17 == 0 {
						c.Invalidate(tok)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestDerivedClientsSpendTheirOwnTokens(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		resource := r.as.ProtectScopes(http.NotFoundHandler(), "write")
		base := cctest.RoundTripper(resource)
		for scope, want := range map[string]int{"write": http.StatusNotFound, "read": http.StatusForbidden} {
			c := r.For(ccclient.Target{Scopes: []string{scope}})
			resp, err := (&http.Client{Transport: c.Transport(base)}).Get("https://api.example.com/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("scope %s: the resource answered %d, want %d", scope, resp.StatusCode, want)
			}
		}
		r.wantRequests(2)
	})
}
