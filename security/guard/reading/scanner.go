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

	see      func(*Reading) bool
	stopped  bool
	shown    []uint64 // fingerprints of the readings that were shown
	names    map[pairOfNames]string
	begins   []int32 // see cut
	costs    []int32 // see cut
	words    []byte  // see puts
	mender   mender
	unpacker unpacker
	readings int
	budget   int // bytes that decodings may still have
	work     int // bytes looked at, times the passes over them
}

// A frame holds one layer: what was decoded and what it reads like.
type frame struct {
	folder
	raw     []byte
	up      trail // from raw to the text of the frame below, or to its raw
	direct  bool  // to its raw
	links   [2]link
	reading Reading
}

// Read calls see with every reading of a text: first the text as it stands,
// folded, then what is hidden or encoded in it, each before what is encoded in
// it in turn. If see returns false, Read ends. Any bytes are accepted.
func (s *Scanner) Read(text string, see func(*Reading) bool) Signs {
	s.signs, s.tokens, s.shown = Signs{}, s.tokens[:0], s.shown[:0]
	s.see, s.stopped, s.work, s.readings = see, false, 0, 0
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
	s.old(f.text)
	s.show(0)
	s.signs.Tokens = s.tokens
	s.see = nil
	s.shrink()
	return s.signs
}

// shrink gives large buffers back.
func (s *Scanner) shrink() {
	for i := range s.frames {
		if f := &s.frames[i]; cap(f.raw)+cap(f.text)+len(f.trail.stretches)*16+len(f.up.stretches)*16 > keptBuffer {
			*f = frame{}
		}
	}
}

// show shows the reading of a frame and then what is encoded in it.
func (s *Scanner) show(layer int) {
	f := &s.frames[layer]
	s.work += 4 * len(f.raw)
	s.count(&f.signs)
	if s.stopped = s.stopped || !s.see(&f.reading); s.stopped || layer == maxLayers {
		return
	}
	s.decode(layer)
}

// decode runs the decoders for which a survey of the reading gives reason.
func (s *Scanner) decode(layer int) {
	f := &s.frames[layer]
	var v survey
	v.take(f.text, f.cased)
	if v.signs[angle]+v.signs[bracket]+v.signs[hashSign] > 0 {
		s.control(&f.reading)
	}
	s.unseen(layer)
	if v.signs[angle]+v.signs[bracket] > 0 {
		s.comments(layer, &v)
	}
	s.escapes(layer, &v)
	s.blocks(layer, &v)
	s.spelled(layer, &v)
	s.letters(layer, &v)
}

// blocks decodes blocks of text in another alphabet.
func (s *Scanner) blocks(layer int, v *survey) {
	if v.odd > 0 {
		s.base64(layer)
	}
	if v.leet >= 3 {
		s.rot47(layer)
	}
	if v.odd > 0 && v.solid >= leastDense {
		s.dense(layer)
	}
	if v.long > 0 {
		s.base58(layer)
	}
	if v.solid >= leastDense {
		s.uuencoded(layer)
	}
	if v.signs[plusSign] >= 3 {
		s.utf7(layer)
	}
	if v.base32 > 0 {
		s.base32(layer)
	}
	if v.codes >= 4 || v.hex >= 10 {
		s.codes(layer)
	}
	if v.codes >= 8 {
		s.dump(layer)
	}
	if v.figures >= leastFigures {
		s.figures(layer)
	}
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
