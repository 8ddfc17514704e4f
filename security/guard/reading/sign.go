package reading

// Signs are what is remarkable about a text beside its words. Each is a count of
// characters in the original and in what was decoded out of it. Characters at
// their ordinary place do not count: a joiner in an emoji or in Persian, a
// variation selector after a symbol, a soft hyphen now and then, a direction
// mark beside Hebrew or Arabic, the tags of a flag.
type Signs struct {
	Invisible  int // characters that show nothing
	Tags       int // tag characters (U+E0020 to U+E007E), which mirror ASCII
	Bidi       int // overrides of the reading direction, and embeddings where nothing is written from right to left
	Controls   int // control characters other than line ends and tabs
	Lookalikes int // letters of another script that were read as Latin ones
	Marks      int // combining marks from the third on a letter on
	// Tokens are the control marks of chat formats, in the order in which they
	// were found, at most 64. Valid until the next Read of the same Scanner.
	Tokens []Token
	// Truncated says that a bound was reached and readings were left out.
	Truncated bool
}

// A Token is a mark that separates the roles of a chat, in the format of some
// model. No ordinary document needs one, texts about models quote them.
type Token struct {
	// Kind is "control" for the marks that tokenizers know and "role" for words
	// that stand for a role at the beginning of a line or in a tag.
	Kind string
	// Start and End are its bytes in the original text.
	Start, End int
	// Reading is the name of the reading in which it stands.
	Reading string
}
