package cloud

import (
	"net/http"

	"k8s.io/client-go/rest"

	"github.com/ccclient/go-ccclient/ccclient"
)

// Kubernetes returns cfg with the client's token, for whatever client-go makes of it.
func Kubernetes(cfg *rest.Config, client *ccclient.Client) *rest.Config {
	cfg = rest.AnonymousClientConfig(cfg) // the server and whom to trust, without other credentials
	cfg.Wrap(func(base http.RoundTripper) http.RoundTripper { return client.Transport(base) })
	return cfg
}
