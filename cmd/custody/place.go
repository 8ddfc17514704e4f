package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// placeOf is the line and column, from 1, of the value at a JSON Pointer (RFC
// 6901). Where the document has no such value, it is that of the nearest one
// around it: the object that lacks a member.
func placeOf(document []byte, pointer string) (line, column int) {
	dec := json.NewDecoder(bytes.NewReader(document))
	at := start(document, 0)
	if pointer != "" {
		for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
			found, err := enter(dec, unescaped(part))
			if err != nil || !found {
				break
			}
			at = start(document, int(dec.InputOffset()))
		}
	}
	before := document[:at]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:])))
}

// unescaped is a part of a JSON Pointer as the document has it.
func unescaped(part string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(part) }

// start is where the next value begins: behind what stands between values.
func start(document []byte, from int) int {
	for from < len(document) && strings.IndexByte(" \t\r\n:,", document[from]) >= 0 {
		from++
	}
	return from
}

var errScalar = errors.New("a value without members")

// enter goes into the next value, up to the member or element of that name.
func enter(dec *json.Decoder, name string) (found bool, err error) {
	open, err := dec.Token()
	if err != nil {
		return false, err
	}
	switch open {
	case json.Delim('{'), json.Delim('['):
	default:
		return false, errScalar
	}
	for i := 0; dec.More(); i++ {
		key := strconv.Itoa(i)
		if open == json.Delim('{') {
			token, err := dec.Token()
			if err != nil {
				return false, err
			}
			key, _ = token.(string)
		}
		if key == name {
			return true, nil
		}
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return false, err
		}
	}
	return false, nil
}
