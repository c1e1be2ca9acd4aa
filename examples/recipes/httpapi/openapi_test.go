package httpapi_test

import (
	"testing"

	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestGeneratedClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, rig.Things)
		api, err := httpapi.NewThings(r.Client)
		if err != nil {
			t.Fatal(err)
		}
		r.LivesOn(t, func() error {
			resp, err := api.GetThingWithResponse(t.Context(), "1")
			if err != nil {
				return err
			}
			if resp.JSON200 == nil || resp.JSON200.Name != "a thing" {
				t.Errorf("%s: %s", resp.Status(), resp.Body)
			}
			return nil
		})
	})
}
