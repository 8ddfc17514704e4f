// Package reading makes the readings of a text that a language model would
// understand: as it stands and folded, with what is hidden made visible, and
// with what is encoded decoded, several layers deep. Every reading knows where
// in the original each of its bytes came from.
//
// A Scanner does the work. One survey of each reading counts what could be
// encoded in it, so plain text costs a folding and a survey and nothing more. A
// decoding is shown only if it reads like text that somebody could have written,
// and never twice.
//
// The work is bounded: all readings together are at most a constant times as
// long as the text, whatever the text is. What was left out because of the bound
// is reported in Signs.Truncated; callers must not treat such a text as read.
//
// The package has no opinion: that a text is encoded or carries invisible
// characters is no attack by itself. It imports nothing of ours and does no I/O.
package reading
