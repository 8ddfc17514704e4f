package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// A terminal is everything through which a command touches its surroundings.
type terminal struct {
	in       io.Reader
	out, err io.Writer // results go to out, everything else to err
	env      func(string) string
	columns  func(io.Writer) int // width of the terminal that a writer is, 0 if it is none; nil: none is
	plain    bool                // no colours, because a flag says so
}

// say writes a line for people, beside the result.
func (t terminal) say(format string, args ...any) { t.line(t.err, fmt.Sprintf(format, args...)) }

// print writes a line of the result.
func (t terminal) print(format string, args ...any) { t.line(t.out, fmt.Sprintf(format, args...)) }

// line is the last guard before the terminal: whatever a server put into an id
// or a time steers nothing. Only our own colours pass.
func (t terminal) line(w io.Writer, text string) { fmt.Fprintln(w, t.tame(w, text)) }

// tame is text without control characters other than line breaks, tabs and, on
// a terminal, colours.
func (t terminal) tame(w io.Writer, text string) string {
	if !strings.ContainsFunc(text, steers) {
		return text
	}
	var b strings.Builder
	colourful := t.colourful(w)
	for i := 0; i < len(text); {
		if n := len(colour.FindString(text[i:])); n > 0 && colourful {
			b.WriteString(text[i : i+n])
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if steers(r) {
			fmt.Fprintf(&b, `\u{%x}`, r)
		} else {
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return b.String()
}

// colour is what paint writes.
var colour = regexp.MustCompile(`^\x1b\[(0|1|2|3[0-7])m`)

// steers reports whether a character is a command to terminals: the control
// characters of ASCII and ISO 8859.
func steers(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }

// ask reports whether somebody says yes. The end of the input is a no.
func (t terminal) ask(question string) bool {
	fmt.Fprintf(t.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(t.in, 1<<10)).ReadString('\n')
	if err != nil {
		t.say("") // nobody ended the line
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

// A sink takes results and remembers that it could not: what a full disk cut
// short must not look like a short list.
type sink struct {
	io.Writer
	mu     sync.Mutex
	failed error
}

// Write writes, and keeps the first error.
func (k *sink) Write(p []byte) (int, error) {
	n, err := k.Writer.Write(p)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.failed = cmp.Or(k.failed, err)
	}
	return n, err
}

// outcome is err, or else what kept the result from being written.
func (k *sink) outcome(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil && k.failed != nil {
		return fmt.Errorf("the result is not complete: %w", k.failed)
	}
	return err
}

// width is that of the terminal behind w, 0 if there is none.
func (t terminal) width(w io.Writer) int {
	if k, ok := w.(*sink); ok {
		w = k.Writer
	}
	if t.columns == nil {
		return 0
	}
	return t.columns(w)
}

// columnsOf asks the system how wide the terminal behind w is.
func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return 80 // a terminal that does not say
}

// movable reports whether w is a terminal whose last line can be written again.
func (t terminal) movable(w io.Writer) bool { return t.width(w) > 0 && t.env("TERM") != "dumb" }

// colourful reports whether colours may be written to w.
func (t terminal) colourful(w io.Writer) bool {
	return t.movable(w) && !t.plain && t.env("NO_COLOR") == "" && t.env("CLICOLOR") != "0"
}

// paint colours text for w, where that shows. The code is that of SGR (ECMA-48).
func (t terminal) paint(w io.Writer, code, text string) string {
	if code == "" || text == "" || !t.colourful(w) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
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
