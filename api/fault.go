package api

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// malformed makes a problem of what huma found. Huma's own would repeat the
// values of the request; of ours only names and limits of the schema remain.
func malformed(status int, errs []error) *Problem {
	switch status {
	case http.StatusUnsupportedMediaType:
		return newProblem(status, "unsupported-media-type", "the body must be application/json")
	case http.StatusRequestEntityTooLarge:
		return newProblem(status, "too-large", "a body may have 1 MiB, and a bundle to be verified 64 MiB")
	case http.StatusInternalServerError, 0:
		return newProblem(http.StatusInternalServerError, "internal", "something went wrong; the log knows more under the request id")
	}
	p := newProblem(http.StatusBadRequest, "malformed", "the request is not what the API describes")
	for _, err := range errs {
		detail := (*huma.ErrorDetail)(nil)
		if errors.As(err, &detail) {
			p.Errors = append(p.Errors, faultOf(detail))
		}
	}
	return p
}

// faultOf keeps the place and the rule of what huma found.
func faultOf(d *huma.ErrorDetail) Fault {
	code, detail := ruleOf(d.Message)
	f := Fault{Pointer: pointerOf(d.Location), Code: code, Detail: detail}
	if code == "additional" && !known(d.Location) {
		f.Pointer = f.Pointer[:strings.LastIndexByte(f.Pointer, '/')] + "/*"
	}
	return f
}

// name is the form of every field and parameter of ours. One that a client
// made up is shown in this form only, because it may hold anything.
var name = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

func known(location string) bool {
	return name.MatchString(location[strings.LastIndexByte(location, '.')+1:])
}

// pointerOf makes a JSON Pointer (RFC 6901) of body.labels[0].
func pointerOf(location string) string {
	location = strings.NewReplacer("~", "~0", "/", "~1").Replace(location)
	location = strings.NewReplacer("[", "/", "]", "", ".", "/").Replace(location)
	if rest, ok := strings.CutPrefix(location, "body"); ok && (rest == "" || rest[0] == '/') {
		return rest
	}
	return "/" + location
}

// ruleOf says which rule a message of huma's is about. Those that are let
// through speak of the schema only.
func ruleOf(message string) (code, detail string) {
	for _, r := range []struct{ prefix, code, detail string }{
		{"unexpected property", "additional", "this field is not known"},
		{"unknown query parameter", "additional", "this parameter is not known"},
		{"expected required property", "required", message},
		{"required ", "required", message},
		{"expected length >=", "min_length", message},
		{"expected length <=", "max_length", message},
		{"expected number >=", "minimum", message},
		{"expected number <=", "maximum", message},
		{"expected value to be one of", "enum", message},
		{"expected string to match pattern", "pattern", message},
		{"expected string to be RFC 3339", "format", "an RFC 3339 time is needed"},
		{"expected ", "type", firstWords(message)},
		{"invalid date/time", "format", "an RFC 3339 time is needed"},
		{"invalid integer", "type", "a whole number is needed"},
		{"invalid boolean", "type", "true or false is needed"},
		{errJSON.Error(), "json", "the body is not one JSON value without repeated names, in UTF-8"},
	} {
		if strings.HasPrefix(message, r.prefix) {
			return r.code, r.detail
		}
	}
	return "invalid", "this is not valid"
}

// firstWords keeps "expected string" and leaves out what may follow a colon.
func firstWords(message string) string {
	head, _, _ := strings.Cut(message, ":")
	return head
}
