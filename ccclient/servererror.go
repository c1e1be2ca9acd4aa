package ccclient

import (
	"strconv"
	"strings"
)

// A serverError is what a server says of its refusal, in its own words.
type serverError struct{ code, description, uri string }

// The names under which servers explain themselves, best first.
var (
	codeNames        = []string{"error_code", "errorCode", "ErrorCode", "code", "errcode"}
	descriptionNames = []string{"error_description", "errorSummary", "error_message", "errorMessage", "ErrorMessage",
		"message", "Message", "errmsg", "Error", "detail", "title", "reason"}
)

// errorIn finds the error in a response, be it RFC 6749's or one of the shapes
// met elsewhere. A response with an access token has one only if "error" or "ok"
// says so: servers add names like "code" and "message" to a success too.
func errorIn(m map[string]any) (e serverError, ok bool) {
	e.uri = text(m["error_uri"])
	switch v := m["error"].(type) {
	case map[string]any: // {"error": {"code": …, "message": …}}
		e.code = firstText(v, "status", "code", "type", "error")
		if code := text(v["code"]); code != "" && !isNumber(code) {
			e.code = code
		}
		e.description = firstText(v, descriptionNames...)
		ok = len(v) > 0
	case bool:
		ok = v
	default: // GitHub and Slack send it with a 200
		e.code = text(v)
		ok = e.code != "" && e.code != "0"
	}
	if m["ok"] == false {
		ok = true
	}
	if !ok && text(m["access_token"]) != "" {
		return serverError{}, false
	}
	if fault, isMap := m["fault"].(map[string]any); isMap { // Apigee
		detail, _ := fault["detail"].(map[string]any)
		e.code = orElse(e.code, text(detail["errorcode"]))
		e.description = orElse(e.description, text(fault["faultstring"]))
	}
	list, _ := m["errors"].([]any)
	if wrapped, isMap := m["response"].(map[string]any); isMap && len(list) == 0 { // UPS
		list, _ = wrapped["errors"].([]any)
	}
	if len(list) > 0 {
		switch first := list[0].(type) {
		case map[string]any:
			e.code = orElse(e.code, firstText(first, append([]string{"error"}, codeNames...)...))
			e.description = orElse(e.description, firstText(first, descriptionNames...))
		default:
			e.code = orElse(e.code, text(first))
		}
	}
	e.code = orElse(e.code, firstText(m, codeNames...))
	e.description = orElse(e.description, firstText(m, descriptionNames...))
	if strings.ContainsAny(e.code, " \t\r\n") || len(e.code) > 100 { // a sentence, not a code
		if e.description == "" {
			e.description = e.code
		}
		e.code = ""
	}
	// Some shout: INVALID_CLIENT.
	if lower := ErrorCode(strings.ToLower(e.code)); lower.registered() {
		e.code = string(lower)
	}
	return e, ok || e.code != "" || e.description != ""
}

// firstText gives the first of m's named members that has a text.
func firstText(m map[string]any, names ...string) string {
	for _, name := range names {
		if s := text(m[name]); s != "" {
			return s
		}
	}
	return ""
}

// text gives a string or a number as text; other types have none.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
