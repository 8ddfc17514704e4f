package main

import "fmt"

// A narrator tells the demo's story on a terminal, in colours where they show.
type narrator struct {
	terminal
	acts   int
	checks int // expectations that held
}

func newNarrator(t terminal) *narrator { return &narrator{terminal: t} }

func (n *narrator) paint(code, text string) string { return n.terminal.paint(n.out, code, text) }

// act begins a part of the story.
func (n *narrator) act(title string) {
	n.acts++
	n.print("")
	n.print("%s", n.paint("1", fmt.Sprintf("%d. %s", n.acts, title)))
}

// good tells something that is as it must be.
func (n *narrator) good(format string, args ...any) {
	n.print("   %s %s", n.paint("32", "✓"), oneLine(fmt.Sprintf(format, args...)))
}

// bad tells something that is not.
func (n *narrator) bad(format string, args ...any) {
	n.print("   %s %s", n.paint("31", "✗"), fmt.Sprintf(format, args...))
}

// note tells something beside.
func (n *narrator) note(format string, args ...any) {
	n.print("     %s", n.paint("2", fmt.Sprintf(format, args...)))
}

// expect tells what holds, or returns it as the error that ends the story.
func (n *narrator) expect(holds bool, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if !holds {
		return fmt.Errorf("expected: %s", text)
	}
	n.checks++
	n.good("%s", text)
	return nil
}
