// Package egress finds what an output may not carry out, or before the eyes of
// whoever reads it: links, images and HTML that a policy does not allow, hidden
// characters and terminal controls, canaries and system prompts, passages copied
// out of labelled inputs, code that is dangerous where it is read as code, and
// words of an organisation's lists.
//
// A text is parsed as Markdown, as HTML and as plain text at once, because nobody
// knows what will show it: what any of them would follow or fetch counts. Links
// are judged by the host that a browser would contact, and an allowed link has to
// be written in the one plain form that every parser reads alike. Leaks, copies,
// words and code are looked for in every reading of the text, so that an encoding
// hides nothing. What cannot be parsed within a bound is a finding, not a pass.
//
// A Finding never repeats the text or what was protected. Its replacement is what
// redaction puts in its place; it is safe where the finding stood.
//
// The package does no I/O. Rules are safe for concurrent use.
package egress
