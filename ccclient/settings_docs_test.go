package ccclient_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

func TestTableOfTheConfigurationIsTheCodes(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var fields, variables []string
	for _, m := range regexp.MustCompile(`(?m)^\| (.*)\| (.+) \| (.+) \| (.+) \|$`).FindAllStringSubmatch(string(page), -1) {
		field, variable := strings.Trim(m[1], "` "), strings.Trim(m[2], "` ")
		if field == "field" {
			continue
		}
		if field != "" {
			fields = append(fields, field)
		}
		if field != "" && variable != strings.ToUpper(field) {
			t.Errorf("%s is %s in the environment", field, variable)
		}
		variables = append(variables, variable)
	}
	var want []string
	for field := range reflect.TypeFor[ccclient.Settings]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	if !slices.Equal(fields, want) {
		t.Errorf("the table has %q, Settings %q", fields, want)
	}
	// What the table names is known, and nothing is that it does not name: of all that is near enough.
	for _, variable := range variables {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("T_"+variable, "x")
			t.Setenv("T_"+variable+"S_", "x")
			_, err := ccclient.ConfigFromEnv("T_")
			text := "\n" + strings.TrimPrefix(err.Error(), "ccclient: invalid environment: ")
			if strings.Contains(text, "\nT_"+variable+": unknown: ") {
				t.Errorf("it is not known: %v", err)
			}
			if !strings.Contains(text, "\nT_"+variable+"S_: unknown: the nearest known variable is T_"+variable) {
				t.Errorf("it is not the nearest: %v", err)
			}
		})
	}
	if len(variables) != len(want)+2 {
		t.Errorf("%d variables for %d fields, a secret and a key", len(variables), len(want))
	}
}
