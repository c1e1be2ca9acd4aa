package httpapi_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestSidecarLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil || string(body) != "a thing" || req.URL.Path != "/v1/things" || req.Host != rig.APIHost {
				t.Errorf("%s %s: %q, %v", req.Host, req.URL, body, err)
			}
		}))
		r.Serve(t, "sidecar.example.com", httpapi.NewSidecar(r.Client, &url.URL{
			Scheme: "https", Host: rig.APIHost, Path: "/v1",
		}))
		r.LivesOn(t, func() error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://sidecar.example.com/things",
				io.NopCloser(strings.NewReader("a thing")))
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer of-the-program")
			return rig.Status(r.Plain.Do(req))
		})
	})
}
