package ccclient_test

import (
	"context"
	"slices"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestTraceHearsOfEachAttempt(t *testing.T) {
	var got []ccclient.TokenRequestInfo
	var ends []ccclient.TokenRequestDone
	trace := &ccclient.Trace{
		TokenRequest: func(
			ctx context.Context, i ccclient.TokenRequestInfo,
		) (context.Context, func(ccclient.TokenRequestDone)) {
			got = append(got, i)
			return ctx, func(d ccclient.TokenRequestDone) { ends = append(ends, d) }
		},
	}
	inBubble(t, cctest.Options{}, func(c *ccclient.Config) {
		c.Trace, c.Scopes = trace, []string{"read"}
	}, func(t *testing.T, r *rig) {
		r.as.FailNext(1, 503, nil)
		if _, err := r.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || len(ends) != 2 {
			t.Fatalf("heard of %d attempts that began and %d that ended, want 2", len(got), len(ends))
		}
		if i := got[1]; i.Host != "as.example.com" || i.Port != 443 || i.Attempt != 2 ||
			i.Method != "client_secret_basic" || i.GrantType != "client_credentials" ||
			!slices.Equal(i.Scopes, []string{"read"}) {
			t.Errorf("the second attempt: %+v", i)
		}
		if d := ends[0]; d.StatusCode != 503 || d.Err == nil || !d.Again {
			t.Errorf("the first attempt ended so: %+v", d)
		}
		if d := ends[1]; d.StatusCode != 200 || d.Err != nil || d.Expiry.IsZero() || d.Again {
			t.Errorf("the second attempt ended so: %+v", d)
		}
	})
}
