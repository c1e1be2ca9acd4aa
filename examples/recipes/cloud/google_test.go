package cloud_test

import (
	"testing"

	"google.golang.org/api/tasks/v1"

	"github.com/ccclient/go-ccclient/examples/recipes/cloud"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestGoogleClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, rig.Things)
		api, err := cloud.NewGoogle(t.Context(), r.Client)
		if err != nil {
			t.Fatal(err)
		}
		r.LivesOn(t, func() error {
			task, err := api.Tasks.Insert("list", &tasks.Task{Title: "a thing"}).Context(t.Context()).Do()
			if err == nil && task.Id != "1" {
				t.Errorf("%+v", task)
			}
			return err
		})
	})
}
