package reading

// Bounds of a Read.
const (
	maxText     = 128 << 20 // bytes; offsets are 32 bits wide and folding can lengthen
	maxLayers   = 3         // decodings on top of each other
	maxReadings = 4096
	keptBuffer  = 1 << 20 // a larger buffer is given back after use
)

// A Scanner makes readings. Its zero value is ready. It keeps its buffers, so
// one Scanner must not be used by two goroutines at once.
type Scanner struct {
	frames [maxLayers + 1]frame
	tokens []Token
	signs  Signs

	see     func(*Reading) bool
	stopped bool
	budget  int // bytes that decodings may still have
	work    int // bytes looked at, times the passes over them
}

// A frame holds one layer: what was decoded and what it reads like.
type frame struct {
	folder
	raw     []byte
	up      trail // from raw to the text of the frame below
	links   [2]link
	reading Reading
}

// Read calls see with every reading of a text: first the text as it stands,
// folded, then what is hidden or encoded in it, each before what is encoded in
// it in turn. If see returns false, Read ends. Any bytes are accepted.
func (s *Scanner) Read(text string, see func(*Reading) bool) Signs {
	s.signs, s.tokens = Signs{}, s.tokens[:0]
	s.see, s.stopped, s.work = see, false, 0
	s.budget = 8*len(text) + 8192
	if len(text) > maxText {
		text, s.signs.Truncated = text[:maxText], true
	}
	f := &s.frames[0]
	f.raw = append(f.raw[:0], text...)
	f.folder.fold(f.raw)
	f.links[0] = link{trail: &f.folder.trail}
	f.reading = Reading{Text: f.text, Cased: f.cased, Name: "plain", path: &f.links[0]}
	if f.disguise {
		f.reading.Name = "folded"
	}
	s.show(0)
	s.signs.Tokens = s.tokens
	s.see = nil
	return s.signs
}

// show shows the reading of a frame and then what is encoded in it.
func (s *Scanner) show(layer int) {
	f := &s.frames[layer]
	s.count(&f.signs)
	s.stopped = !s.see(&f.reading)
}

// count adds the signs of one reading to those of the text.
func (s *Scanner) count(n *Signs) {
	s.signs.Invisible += n.Invisible
	s.signs.Tags += n.Tags
	s.signs.Bidi += n.Bidi
	s.signs.Controls += n.Controls
	s.signs.Lookalikes += n.Lookalikes
	s.signs.Marks += n.Marks
}
