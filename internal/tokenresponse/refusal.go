package tokenresponse

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A Refusal is what a server says of why there is no token (RFC 6749, section 5.2), in its own words; what it does not
// say is empty.
type Refusal struct {
	Code        string // "error"; if registered in lower case, else a word of letters, digits, "_", "." and "-"
	Description string // "error_description"
	URI         string // "error_uri"
}

// registered are the error codes of the IANA registry that a token endpoint may answer with.
var registered = []string{
	// RFC 6749
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
	"invalid_scope", "access_denied", "server_error", "temporarily_unavailable",
	// RFC 8707
	"invalid_target",
	// RFC 9396
	"invalid_authorization_details",
	// RFC 9449
	"use_dpop_nonce", "invalid_dpop_proof",
}

// Registered reports whether code is one of the registered error codes.
func Registered(code string) bool { return slices.Contains(registered, code) }

// The names under which servers explain themselves, best first.
var (
	codeNames        = []string{"error_code", "errorCode", "ErrorCode", "code", "errcode"}
	descriptionNames = []string{"error_description", "errorSummary", "error_message", "errorMessage", "ErrorMessage",
		"message", "Message", "errmsg", "Error", "detail", "title", "reason"}
)

// Refusal returns the refusal in m and whether there is one, be it RFC 6749's or in one of the shapes met elsewhere.
// Beside an access token only "error" and "ok" count: servers add names like "code" and "message" to a success too.
func (m Members) Refusal() (r Refusal, ok bool) {
	r.URI = asText(m["error_uri"])
	switch v := m["error"].(type) {
	case map[string]any: // {"error": {"code": …, "message": …}}
		r.Code = firstText(v, "status", "code", "type", "error")
		if code := asText(v["code"]); code != "" && !isNumber(code) {
			r.Code = code
		}
		r.Description = firstText(v, descriptionNames...)
		ok = len(v) > 0
	case bool:
		ok = v
	default: // GitHub and Slack send it with a 200
		r.Code = asText(v)
		ok = r.Code != "" && r.Code != "0"
	}
	if m["ok"] == false {
		ok = true
	}
	if !ok && asText(m["access_token"]) != "" {
		return Refusal{}, false
	}
	if fault, isMap := m["fault"].(map[string]any); isMap { // Apigee
		detail, _ := fault["detail"].(map[string]any)
		r.Code = cmp.Or(r.Code, asText(detail["errorcode"]))
		r.Description = cmp.Or(r.Description, asText(fault["faultstring"]))
	}
	list, _ := m["errors"].([]any)
	if wrapped, isMap := m["response"].(map[string]any); isMap && len(list) == 0 { // UPS
		list, _ = wrapped["errors"].([]any)
	}
	if len(list) > 0 {
		switch first := list[0].(type) {
		case map[string]any:
			r.Code = cmp.Or(r.Code, firstText(first, append([]string{"error"}, codeNames...)...))
			r.Description = cmp.Or(r.Description, firstText(first, descriptionNames...))
		default:
			r.Code = cmp.Or(r.Code, asText(first))
		}
	}
	r.Code = cmp.Or(r.Code, firstText(m, codeNames...))
	r.Description = cmp.Or(r.Description, firstText(m, descriptionNames...))
	if r.Code != "" && !plausible(r.Code) { // a sentence, or worse
		if r.Description != "" && r.Description != r.Code {
			r.Code += ": " + r.Description
		}
		r.Description, r.Code = r.Code, ""
	}
	// Some shout: INVALID_CLIENT.
	if lower := strings.ToLower(r.Code); Registered(lower) {
		r.Code = lower
	}
	return r, ok || r.Code != "" || r.Description != ""
}

// maxCode bounds a code, in bytes.
const maxCode = 64

// plausible reports whether code may be one: a short word, as those of the registry are.
func plausible(code string) bool {
	return len(code) <= maxCode && strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

// firstText returns the text of the first of m's named members that has one.
func firstText(m map[string]any, names ...string) string {
	for _, name := range names {
		if s := asText(m[name]); s != "" {
			return s
		}
	}
	return ""
}

// asText returns a string or a number as text; other types have none.
func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// isNumber reports whether s is one, such as a status.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
