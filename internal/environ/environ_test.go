package environ_test

import (
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/environ"
)

func TestVariablesAreReadByTheirKind(t *testing.T) {
	r := environ.New("X_", []string{
		"X_TEXT= a b\n", "X_LIST=a  b", "X_FLAG= true", "X_FORM=a=1&b=%20", "X_SECRET= s\r\n", "Y_OTHER=1", "=C:=C:",
	})
	if got := r.Text("text"); got != "a b" {
		t.Errorf("%q", got)
	}
	if got := r.List("list"); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("%q", got)
	}
	if !r.Flag("flag") {
		t.Error("the flag is not set")
	}
	if got := r.Form("form"); got.Get("a") != "1" || got.Get("b") != " " {
		t.Errorf("%q", got)
	}
	if got := r.Secret("secret"); got != " s" {
		t.Errorf("%q", got)
	}
	if r.Text("none") != "" || r.List("none") != nil ||
		r.Flag("none") || r.Form("none") != nil || r.Secret("none") != "" {
		t.Error("a variable that is not set has a value")
	}
	r.Unknown()
	if err := r.Faults.Err("faults"); err != nil {
		t.Error(err)
	}
}

func TestFaultsNameTheVariableAndNotItsValue(t *testing.T) {
	for variable, want := range map[string]string{
		"X_FLAG=canary":     "X_FLAG: neither true nor false",
		"X_FORM=canary":     `X_FORM: has a parameter without "="`,
		"X_FORM=a=canary b": "X_FORM: has white space",
		"X_FORM=canary=%zz": "X_FORM: is not form-encoded",
		"X_FROM=canary":     "X_FROM: unknown: the nearest known variable is X_FORM",
		"X_\x1b[31m=canary": `X_\x1b[31m: unknown`,
		"X_F" + strings.Repeat("O", 99) + "=canary": `\u2026: unknown`,
	} {
		r := environ.New("X_", []string{variable})
		r.Flag("flag")
		r.Form("form")
		r.Unknown()
		err := r.Faults.Err("faults")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, want %q", variable, err, want)
		}
	}
}

func TestWithoutPrefixOnlyNearMissesAreFaults(t *testing.T) {
	for variable, fault := range map[string]bool{
		"CLIENTID=x": true, "CLIENT_IDS=x": true, "CLIENT_DI=x": true, "SCOPE=x": true, "client_id=x": true,
		"PATH=x": false, "CLIENT=x": false,
	} {
		r := environ.New("", []string{variable})
		r.Text("client_id")
		r.List("scopes")
		r.Unknown()
		if err := r.Faults.Err("faults"); (err != nil) != fault {
			t.Errorf("%s: %v", variable, err)
		}
	}
	r := environ.New("", []string{"SCOPE=x", "SCOPES=y"})
	r.List("scopes")
	r.Unknown()
	if err := r.Faults.Err("faults"); err != nil {
		t.Errorf("beside the one that is meant: %v", err)
	}
}
