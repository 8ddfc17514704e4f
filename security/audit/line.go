package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// errLine is returned for a line that is not an entry. Its message holds no
// content.
var errLine = errors.New("not an entry")

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// appendEntry writes an entry as one line of a bundle, without the line break.
func appendEntry(buf []byte, e *Entry) []byte {
	buf = append(appendString(append(buf, `{"log":`...), e.Log), `,"index":`...)
	if e.Index == nil {
		buf = append(buf, "null"...)
	} else {
		buf = strconv.AppendInt(buf, *e.Index, 10)
	}
	buf = appendString(append(buf, `,"stream":`...), e.Stream)
	buf = strconv.AppendInt(append(buf, `,"seq":`...), e.Seq, 10)
	buf = hex.AppendEncode(append(buf, `,"prev":"`...), e.Prev[:])
	buf = hex.AppendEncode(append(buf, `","hash":"`...), e.Hash[:])
	buf = appendString(append(buf, `","body":`...), e.Body)
	return append(buf, '}')
}

// parseLine reads an entry from a line of a bundle. Other tools may write
// other white space, escapes and orders of keys; a key twice or an unknown one
// is refused, because two readers could take it for two different entries.
func parseLine(line []byte) (Entry, error) {
	if e, ok := parseOwnLine(string(line)); ok {
		return e, nil
	}
	return parseAnyLine(line)
}

// parseOwnLine reads what appendEntry wrote, the fast way.
func parseOwnLine(line string) (e Entry, ok bool) {
	r := reader{text: line}
	literal := func(s string) {
		if !strings.HasPrefix(r.text[r.at:], s) {
			r.fail()
			return
		}
		r.at += len(s)
	}
	literal(`{"log":`)
	e.Log = r.str()
	literal(`,"index":`)
	if r.peek() == 'n' {
		literal("null")
	} else {
		index := r.integer()
		e.Index = &index
	}
	literal(`,"stream":`)
	e.Stream = r.str()
	literal(`,"seq":`)
	e.Seq = r.integer()
	literal(`,"prev":`)
	e.Prev = r.hash()
	literal(`,"hash":`)
	e.Hash = r.hash()
	literal(`,"body":`)
	e.Body = r.str()
	literal(`}`)
	return e, !r.failed && r.at == len(line)
}

// parseAnyLine reads the entry token by token: encoding/json would take the
// last of two equal keys, and keys in any case.
func parseAnyLine(line []byte) (Entry, error) {
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Entry{}, errLine
	}
	seen := make(map[string]bool, 7)
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok || seen[name] {
			return Entry{}, errLine
		}
		seen[name] = true
		value, err := dec.Token()
		if err != nil || e.set(name, value) != nil {
			return Entry{}, errLine
		}
	}
	if _, err := dec.Token(); err != nil {
		return Entry{}, errLine
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, errLine
	}
	for _, name := range []string{"log", "stream", "seq", "prev", "hash", "body"} {
		if !seen[name] {
			return Entry{}, errLine
		}
	}
	return e, nil
}

// set sets one field from its JSON token.
func (e *Entry) set(name string, value json.Token) (err error) {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	switch {
	case name == "index" && value == nil:
	case name == "index" && isNumber:
		var index int64
		index, err = strconv.ParseInt(number.String(), 10, 64)
		e.Index = &index
	case name == "seq" && isNumber:
		e.Seq, err = strconv.ParseInt(number.String(), 10, 64)
	case name == "log" && isText:
		e.Log = text
	case name == "stream" && isText:
		e.Stream = text
	case name == "body" && isText:
		e.Body = text
	case name == "prev" && isText:
		e.Prev, err = ParseHash(text)
	case name == "hash" && isText:
		e.Hash, err = ParseHash(text)
	default:
		err = errLine
	}
	return err
}
