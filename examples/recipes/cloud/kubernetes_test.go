package cloud_test

import (
	"net/http"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ccclient/go-ccclient/examples/recipes/cloud"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestKubernetesClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path != "/api/v1/namespaces/default/pods/thing" {
				t.Error(req.URL)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"thing"}}`))
		}))
		// The dynamic client is made as all of client-go's are, and compiles without the types of Kubernetes' API.
		api, err := dynamic.NewForConfig(cloud.Kubernetes(&rest.Config{
			Host:            "https://api.example.com",
			BearerToken:     "another",
			TLSClientConfig: rest.TLSClientConfig{CAData: []byte(r.CA())},
			Dial:            r.Dial,
		}, r.Client))
		if err != nil {
			t.Fatal(err)
		}
		pods := api.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("default")
		r.LivesOn(t, func() error {
			pod, err := pods.Get(t.Context(), "thing", meta.GetOptions{})
			if err == nil && pod.GetName() != "thing" {
				t.Error(pod)
			}
			return err
		})
	})
}
