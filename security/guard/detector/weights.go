package detector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ConceptScale is the value of a concept gram that occurs in a window.
const ConceptScale = 0.35

// RowScale is the value of a pattern that occurs in a window: a pattern says as
// much as several concept grams.
const RowScale = 2.8

// Norm is what the sum of a window's n-grams is multiplied with, so that long
// and short windows compare.
func Norm(grams int) float32 {
	if grams == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(float64(grams)))
}

// Lengths is how many classes of length have thresholds of their own.
const Lengths = 3

// LengthClass is the class of a text of n bytes: up to about two windows, up to
// about twelve, more. A long text has more windows that can be wrong.
func LengthClass(n int) int {
	switch {
	case n <= 300:
		return 0
	case n <= 1300:
		return 1
	}
	return 2
}

// lengthSlope is how many points more a text needs when it is twice as long: a
// long text has more windows that can be wrong.
const lengthSlope = 0.1

// Length is how many points more a text of n bytes needs than one of a window.
// It grows with the logarithm of the number of windows.
func Length(n int) float32 {
	windows := max(1, n/80)
	whole := bits.Len(uint(windows)) - 1 //nolint:gosec // positive
	part := float32(windows)/float32(uint(1)<<whole) - 1
	return float32(lengthSlope * (float32(whole) + part))
}

// A Threshold is what a text's points are held against: at or over Review a
// person is asked, at or over Block it is refused.
type Threshold struct{ Review, Block float32 }

// Weights are the trained part of a detector.
//
// As bytes they are: the magic "CUSTODYW", the format as a big-endian 32-bit
// number, the SHA-256 of the list of concepts and of the whole lexicon that they
// were trained with, then as big-endian IEEE 754 numbers the bias, the value of
// one step of an n-gram's, of a concept gram's and of a pattern's weight, and for every channel
// and class of length the two thresholds; then one signed byte for every n-gram
// bucket, every concept gram bucket and every pattern, as it stands and quoted; then the SHA-256 of all that.
type Weights struct {
	Concepts, Lexicon [sha256.Size]byte
	Bias              float32
	GramStep          float32
	ConceptStep       float32
	RowStep           float32
	Thresholds        [channels][Lengths]Threshold
	Gram, Concept     []int8
	Row               []int8
}

const (
	weightsMagic  = "CUSTODYW"
	weightsFormat = 1
)

// Encode writes the weights.
func (w *Weights) Encode() []byte {
	b := []byte(weightsMagic)
	b = binary.BigEndian.AppendUint32(b, weightsFormat)
	b = append(b, w.Concepts[:]...)
	b = append(b, w.Lexicon[:]...)
	for _, v := range w.numbers() {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(*v))
	}
	for _, part := range [][]int8{w.Gram, w.Concept, w.Row} {
		for _, v := range part {
			b = append(b, byte(v)) //nolint:gosec // the same bits
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// numbers are the fields that are floating point numbers, in their order.
func (w *Weights) numbers() []*float32 {
	out := []*float32{&w.Bias, &w.GramStep, &w.ConceptStep, &w.RowStep}
	for c := range w.Thresholds {
		for l := range w.Thresholds[c] {
			out = append(out, &w.Thresholds[c][l].Review, &w.Thresholds[c][l].Block)
		}
	}
	return out
}

// DecodeWeights reads what Encode wrote.
func DecodeWeights(b []byte) (*Weights, error) {
	w := &Weights{Gram: make([]int8, Grams), Concept: make([]int8, Concepts), Row: make([]int8, Rows)}
	head := len(weightsMagic) + 4 + 2*sha256.Size
	if want := head + 4*len(w.numbers()) + Grams + Concepts + Rows + sha256.Size; len(b) != want {
		return nil, fmt.Errorf("weights: %d bytes, want %d", len(b), want)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, errors.New("weights: the checksum is wrong")
	}
	if string(b[:len(weightsMagic)]) != weightsMagic || binary.BigEndian.Uint32(b[len(weightsMagic):]) != weightsFormat {
		return nil, errors.New("weights: of another format")
	}
	copy(w.Concepts[:], b[len(weightsMagic)+4:])
	copy(w.Lexicon[:], b[len(weightsMagic)+4+sha256.Size:])
	body = body[head:]
	for _, v := range w.numbers() {
		*v = math.Float32frombits(binary.BigEndian.Uint32(body))
		body = body[4:]
	}
	for _, part := range [][]int8{w.Gram, w.Concept, w.Row} {
		for i := range part {
			part[i] = int8(body[i]) //nolint:gosec // the same bits
		}
		body = body[len(part):]
	}
	return w, nil
}

// version names the weights for the record: the format and the beginning of
// their SHA-256.
func version(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return fmt.Sprintf("%d-%s", weightsFormat, hex.EncodeToString(sum[:]))
}
