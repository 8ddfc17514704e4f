package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxToken = 16 << 10 // bytes; API, section 4
	maxDepth = 8        // of JSON values; real tokens need 4
)

// A token is the reading of a JWS in compact form (RFC 7515, section 7.1),
// before anybody has vouched for it.
type token struct {
	raw     string
	header  object
	claims  object
	payload []byte
}

// parse reads a token. Two readers of the same token must never disagree about
// what it says, so whatever is ambiguous is refused: base64 with padding, line
// breaks or stray bits, repeated names, broken UTF-8.
func parse(raw string) (token, error) {
	if len(raw) > maxToken {
		return token{}, &TokenError{"size", "the token is larger than 16 KiB"}
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || strings.ContainsAny(raw, "\r\n") || parts[2] == "" {
		return token{}, errShape()
	}
	head, err1 := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	_, err3 := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err1 != nil || err2 != nil || err3 != nil {
		return token{}, errShape()
	}
	header, err1 := readObject(head)
	claims, err2 := readObject(payload)
	if err1 != nil || err2 != nil {
		return token{}, errShape()
	}
	return token{raw: raw, header: header, claims: claims, payload: payload}, nil
}

func errShape() error {
	return &TokenError{"shape", "the token is not a signed JWT in compact form"}
}

// An object is a JSON object with names exactly as written: encoding/json would
// take AUD for aud when it fills a struct.
type object map[string]any

var errJSON = errors.New("not one unambiguous JSON object")

func readObject(data []byte) (object, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	o, ok := v.(object)
	if !ok {
		return nil, errJSON
	}
	return o, nil
}

// readValue reads the next value. The decoder's input is known to be valid JSON.
func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, errJSON
	}
	var v any
	if open == '{' {
		v, err = readMembers(d, depth+1)
	} else {
		v, err = readItems(d, depth+1)
	}
	if err != nil {
		return nil, err
	}
	_, err = d.Token() // the closing delimiter
	return v, err
}

func readMembers(d *json.Decoder, depth int) (object, error) {
	o := object{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if _, twice := o[name]; !ok || twice {
			return nil, errJSON
		}
		if o[name], err = readValue(d, depth); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func readItems(d *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for d.More() {
		v, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// has reports whether the name is there, with whatever value.
func (o object) has(name string) bool { _, ok := o[name]; return ok }

// text is the string of that name, or empty.
func (o object) text(name string) string { s, _ := o[name].(string); return s }

// texts is a string or a list of nothing but strings (RFC 7519, section 2,
// knows aud in both forms).
func texts(v any) ([]string, bool) {
	if s, ok := v.(string); ok {
		return []string{s}, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return out, true
}

// instant is a NumericDate (RFC 7519, section 2) in whole seconds, rounded
// down, between 1970 and 9999.
func (o object) instant(name string) (time.Time, bool) {
	n, ok := o[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f <= 0 || f > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// at follows a JSON Pointer (RFC 6901) through objects.
func (o object) at(pointer string) (any, bool) {
	var v any = o
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, step := range strings.Split(pointer, "/")[1:] {
		in, ok := v.(object)
		if !ok {
			return nil, false
		}
		if v, ok = in[unescape.Replace(step)]; !ok {
			return nil, false
		}
	}
	return v, true
}
