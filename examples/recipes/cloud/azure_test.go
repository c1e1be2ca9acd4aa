package cloud_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/ccclient/go-ccclient/examples/recipes/cloud"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

// newPipeline returns what each client of the Azure SDK sends its requests through.
func newPipeline(a cloud.Azure) runtime.Pipeline {
	return runtime.NewPipeline("things", "v1.0.0", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(a, []string{"https://api.example.com/.default"}, nil)},
	}, &azcore.ClientOptions{Transport: a})
}

func TestAzureClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			if body, err := io.ReadAll(req.Body); err != nil || string(body) != "a thing" {
				t.Errorf("%q, %v", body, err)
			}
		}))
		api := newPipeline(cloud.Azure{Client: r.Client})
		r.LivesOn(t, func() error {
			req, err := runtime.NewRequest(t.Context(), http.MethodPut, "https://api.example.com/things/1")
			if err != nil {
				return err
			}
			if err := req.SetBody(streaming.NopCloser(strings.NewReader("a thing")), "text/plain"); err != nil {
				return err
			}
			return rig.Status(api.Do(req))
		})
	})
}
