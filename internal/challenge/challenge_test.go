package challenge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/challenge"
)

type example struct {
	Source string
	Lines  []string
	Want   []challenge.Challenge
}

func examples(t testing.TB) []example {
	t.Helper()
	data, err := os.ReadFile("testdata/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestExamplesOfTheRFCsAndGarbageOfServersAreRead(t *testing.T) {
	for i, ex := range examples(t) {
		t.Run(fmt.Sprintf("%d %s", i, ex.Source), func(t *testing.T) {
			got := challenge.Parse(http.Header{"Www-Authenticate": ex.Lines})
			if len(got) != len(ex.Want) || len(got) > 0 && !reflect.DeepEqual(got, ex.Want) {
				t.Errorf("Parse(%q)\n got %+v\nwant %+v", ex.Lines, got, ex.Want)
			}
		})
	}
}

func TestNoHeaderHasNoChallenges(t *testing.T) {
	if got := challenge.Parse(nil); got != nil {
		t.Errorf("Parse(nil) = %v", got)
	}
}

func TestFloodIsCutShort(t *testing.T) {
	for name, line := range map[string]string{
		"challenges": strings.Repeat("a,", 1<<20),
		"parameters": "a " + params(1<<16),
		"spaces":     "a b" + strings.Repeat(" ", 1<<20) + "c",
		"quotes":     strings.Repeat(`"`, 1<<20),
		"escapes":    `a b="` + strings.Repeat(`\`, 1<<20),
		"equals":     "a " + strings.Repeat("=", 1<<20),
	} {
		got := challenge.Parse(http.Header{"Www-Authenticate": {line, line}})
		if len(got) > 64 {
			t.Errorf("%s: %d challenges", name, len(got))
		}
		for _, c := range got {
			if len(c.Params) > 64 {
				t.Errorf("%s: %d parameters", name, len(c.Params))
			}
		}
	}
}

func params(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=1,", i)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, ex := range examples(f) {
		f.Add(strings.Join(ex.Lines, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := challenge.Parse(http.Header{"Www-Authenticate": strings.Split(text, "\n")})
		var again []string
		for _, c := range got {
			if c.Scheme == "" {
				t.Fatalf("a challenge without a scheme: %+v", c)
			}
			again = append(again, format(c))
		}
		// What was understood means the same when it is written by the book.
		if reread := challenge.Parse(http.Header{"Www-Authenticate": again}); len(text) < 4<<10 &&
			!reflect.DeepEqual(got, reread) {
			t.Errorf("%q\nread as  %+v\nreread as %+v", text, got, reread)
		}
	})
}

// format writes a challenge as RFC 9110 has it.
func format(c challenge.Challenge) string {
	var line strings.Builder
	line.WriteString(c.Scheme)
	if c.Token68 != "" {
		line.WriteString(" " + c.Token68)
	}
	for name, value := range c.Params {
		fmt.Fprintf(&line, ` , %s="%s"`, name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))
	}
	return strings.Replace(line.String(), " , ", map[bool]string{true: ", ", false: " "}[c.Token68 != ""], 1)
}
