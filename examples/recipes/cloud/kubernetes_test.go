package cloud_test

import (
	"net/http"
	"testing"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/ccclient/go-ccclient/examples/recipes/cloud"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestKubernetesClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path != "/version" {
				t.Error(req.URL)
			}
			w.Write([]byte(`{"gitVersion":"v1.36.0"}`))
		}))
		api, err := discovery.NewDiscoveryClientForConfig(cloud.Kubernetes(&rest.Config{
			Host:            "https://api.example.com",
			BearerToken:     "another",
			TLSClientConfig: rest.TLSClientConfig{CAData: []byte(r.CA())},
			Dial:            r.Dial,
		}, r.Client))
		if err != nil {
			t.Fatal(err)
		}
		r.LivesOn(t, func() error {
			version, err := api.ServerVersion()
			if err == nil && version.GitVersion != "v1.36.0" {
				t.Error(version)
			}
			return err
		})
	})
}
