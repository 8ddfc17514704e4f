package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A terminal is everything through which a command touches its surroundings.
type terminal struct {
	in       io.Reader
	out, err io.Writer // results go to out, everything else to err
	env      func(string) string
}

// say writes a line for people, beside the result.
func (t terminal) say(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) }

// print writes a line of the result.
func (t terminal) print(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

// json writes the result as one document.
func (t terminal) json(v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s\n", raw)
	return err
}

// jsonLine writes one of several documents.
func (t terminal) jsonLine(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s\n", raw)
	return err
}

// ask reports whether somebody says yes. The end of the input is a no.
func (t terminal) ask(question string) bool {
	fmt.Fprintf(t.err, "%s [y/N] ", question)
	line, _ := bufio.NewReader(io.LimitReader(t.in, 1<<10)).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

// colourful reports whether escape sequences may be written to w.
func (t terminal) colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || t.env("NO_COLOR") != "" || t.env("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printable makes text of others safe to show: no escape sequence reaches the
// terminal, and nothing can be hidden from whoever must judge it.
func printable(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\n' || r == '\t' || r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default: // control characters, overrides of direction, joiners, other spaces
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += n
	}
	return b.String()
}

// oneLine is printable without line breaks.
func oneLine(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(printable(text))
}

// short cuts a text at a number of characters.
func short(text string, limit int) string {
	r := []rune(text)
	if len(r) <= limit {
		return text
	}
	return string(r[:limit-1]) + "…"
}
