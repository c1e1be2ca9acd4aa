package rawjson_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/rawjson"
)

func TestMembersStandAsTheyWereWritten(t *testing.T) {
	var got []string
	for name, value := range rawjson.Members([]byte("\t{ \"a\\u0062\" :\r\n [1, {\"x\":\"]}\\\"\"}] , \"\":-1.5e3,\"ü\":\"\\\\\" ,\"t\":true}\n")) {
		got = append(got, name, string(value))
	}
	want := []string{"ab", `[1, {"x":"]}\""}]`, "", "-1.5e3", "ü", `"\\"`, "t", "true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	for range rawjson.Members([]byte(`[1]`)) {
		t.Error("an array has members")
	}
	for range rawjson.Elements([]byte(`{"a":1}`)) {
		t.Error("an object has elements")
	}
}

func TestDepthCountsWhatIsOpenAtOnce(t *testing.T) {
	for value, want := range map[string]int{
		`"[[["`: 0, `1`: 0, `[]`: 1, `[[],[]]`: 2, `{"a":[{"b":"}"}]}`: 3, strings.Repeat("[", 100) + strings.Repeat("]", 100): 100,
	} {
		if got := rawjson.Depth([]byte(value)); got != want {
			t.Errorf("%s: %d; want %d", value, got, want)
		}
	}
}

func FuzzRawJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":[1,"]",{"b":null}],"a":"\""}`, ` [ 1 , "x" ] `, `{}`, `[]`, `{"\ud800":"\u0000"}`, "{\"\xff\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := json.Valid(data)
		var members map[string]json.RawMessage
		isObject := valid && json.Unmarshal(data, &members) == nil && members != nil
		got := map[string]json.RawMessage{}
		for name, value := range rawjson.Members(data) { // must not panic, whatever it is
			got[name] = value
		}
		if isObject {
			if len(got) != len(members) {
				t.Fatalf("%q: %d members; want %d", data, len(got), len(members))
			}
			for name, value := range members {
				if string(got[name]) != string(value) {
					t.Errorf("%q: %q is %s; want %s", data, name, got[name], value)
				}
			}
		}
		var elements []json.RawMessage
		isArray := valid && json.Unmarshal(data, &elements) == nil
		i := 0
		for value := range rawjson.Elements(data) {
			if isArray && (i >= len(elements) || string(value) != string(elements[i])) {
				t.Fatalf("%q: element %d is %s", data, i, value)
			}
			i++
		}
		if isArray && i != len(elements) {
			t.Errorf("%q: %d elements; want %d", data, i, len(elements))
		}
		rawjson.Depth(data)
		var text string
		if valid && len(data) > 0 && data[0] == '"' && json.Unmarshal(data, &text) == nil && data[len(data)-1] == '"' &&
			rawjson.String(data) != text {
			t.Errorf("%q is %q; want %q", data, rawjson.String(data), text)
		}
	})
}
