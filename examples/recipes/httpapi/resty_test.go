package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestRestyLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, rig.Things)
		api := httpapi.NewResty(r.Client)
		r.LivesOn(t, func() error {
			resp, err := api.R().SetBody(map[string]string{"name": "a thing"}).Post("/things")
			if err == nil && resp.IsError() {
				err = fmt.Errorf("%s", resp.Status())
			}
			return err
		})
	})
}
