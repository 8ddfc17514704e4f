package reading

// pairRows says how likely two letters stand beside each other in European
// languages in Latin script, without accents: row and column 0 to 25 are a to z,
// 26 is whatever is no letter. 'q' means as often as if letters were drawn
// evenly, each letter of the alphabet more a factor of the square root of two.
// Counted in texts of our own, half of them English, the rest German, Spanish,
// French, Italian, Dutch, Polish, Portuguese and Turkish in equal parts.
const pairRows = "" +
	"oqtsfnrlrlquswnriuuvqpmirpx" + "qifdsdegpjeojdqddokfogddnem" + "sgodsddtrjpphfugeokrrhddlop" +
	"tgimvflftggllksidopjoiidqmv" + "snstrqrmrlptswlqmxvtoroqpoz" + "pfhgpnheredoderddphnodedids" +
	"pggitdlmqdemhopddqmlpedefds" + "thdhwfdhrdekjjreenipkfhekfs" + "rnsruprignosrwtmjsvvkpgjmou" +
	"odfhpigdkdjgejldedlfmffdddn" + "peifsmfgpdknflogdlnmndgdfgr" + "ugjpvklitdkslksjhgpopjhdofu" +
	"tmhmuhdfsdflokrqdglioeddnet" + "siquuntkthnnkptkhjtvqmjenlx" + "moqsprpiojqstwpqgvsstqsikmw" +
	"sgeisigkqeeqhhspdtmopefdjdq" + "fddddddddddjdeddedddrdddddk" + "ulmrwkmiudpnpouihprrsojdqow" +
	"shqhuhiptgnnljsojiswqinenoy" + "uimhwijwuhjnkjumdtrqqhofnkx" + "onposmnjplkqqukodstsiikikls" +
	"qdgdueddqddfddqedlfdihddddm" + "qeifqddrrdggdoqgdnmfhdedmdr" + "ndiejedelddeddgndedndddefdm" +
	"pimingheneimkjqlehpmjdiddiv" + "peikqdgdogikjlmgedhjmekdniq" + "xuwwvustwqsuvvvvqvwxttvisrq"

// Columns of the table of pairs.
const (
	noLetter = 26 // ASCII that is no letter
	notLatin = 27 // part of a letter of another script: says nothing
)

// letterOf maps a byte to its column.
var letterOf = func() (t [256]uint8) {
	for c := range 256 {
		switch l := lowerOf[c]; {
		case c >= 0x80:
			t[c] = notLatin
		case 'a' <= l && l <= 'z':
			t[c] = l - 'a'
		default:
			t[c] = noLetter
		}
	}
	return t
}()

// A tally sums what pairs of bytes say, three sums in one word, so that a text
// is measured in one pass: how many pairs say something, how likely they are,
// and how much likelier than the same pairs read backwards.
type tally int64

const (
	tallyBits = 21
	tallyHalf = 1 << (tallyBits - 1)
	tallyMask = 1<<tallyBits - 1
)

// pairs are tallies by two columns: pairs[a<<5|b].
var pairs = func() (t [32 << 5]tally) {
	for a := range 27 {
		for b := range 27 {
			if a == noLetter && b == noLetter {
				continue
			}
			forward := int64(pairRows[a*27+b]) - 'q'
			backward := int64(pairRows[b*27+a]) - 'q'
			t[a<<5|b] = tally(1<<(2*tallyBits) + forward<<tallyBits + forward - backward)
		}
	}
	return t
}()

func (t tally) parts() (pairs, likely, forward int) {
	v := int64(t)
	f := (v+tallyHalf)&tallyMask - tallyHalf
	v = (v - f) >> tallyBits
	l := (v+tallyHalf)&tallyMask - tallyHalf
	v = (v - l) >> tallyBits
	return int(v), int(l), int(f)
}

// measure tallies a text of less than 64 KiB.
func measure(text []byte) tally {
	var sum tally
	prev := uint(noLetter)
	for _, c := range text {
		cur := uint(letterOf[c])
		sum += pairs[(prev<<5|cur)&1023]
		prev = cur
	}
	return sum + pairs[(prev<<5|noLetter)&1023]
}
