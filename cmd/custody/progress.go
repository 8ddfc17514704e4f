package main

import (
	"sync"
	"time"
)

// A progress is the last line of a terminal, written again and again while
// something is waited for. Where there is no terminal it is nothing. A nil one
// works.
type progress struct {
	t     terminal
	began time.Time
	stop  chan struct{}
	gone  chan struct{}

	mu    sync.Mutex
	text  string
	shown bool
	turn  int
}

const (
	frames    = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
	frameRate = 120 * time.Millisecond
)

// progress begins one on stderr, so that a result on stdout stays clean.
func (t terminal) progress(text string) *progress {
	if !t.movable(t.err) {
		return nil
	}
	p := &progress{t: t, began: time.Now(), text: text, stop: make(chan struct{}), gone: make(chan struct{})}
	go p.spin()
	return p
}

func (p *progress) spin() {
	defer close(p.gone)
	tick := time.NewTicker(frameRate)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.draw()
		}
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []rune(frames)
	line := string(all[p.turn%len(all)]) + " " + p.text + " · " + elapsed(time.Since(p.began))
	p.turn++
	p.write("\r" + short(line, p.t.width(p.t.err)-1) + "\x1b[K")
	p.shown = true
}

// write goes past say: it ends no line.
func (p *progress) write(text string) { _, _ = p.t.err.Write([]byte(text)) }

// over does something else on the terminal, the line out of its way.
func (p *progress) over(do func()) {
	if p == nil {
		do()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	do()
}

func (p *progress) clear() {
	if p.shown {
		p.write("\r\x1b[K")
		p.shown = false
	}
}

// set changes what is being waited for.
func (p *progress) set(text string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = oneLine(text)
}

// end takes the line away.
func (p *progress) end() {
	if p == nil {
		return
	}
	close(p.stop)
	<-p.gone
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}
