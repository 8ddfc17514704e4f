// Package detector scores texts for orders that are meant for a language model
// and not for its user: prompt injection, requests for hidden instructions,
// jailbreaks.
//
// Every reading of a text (package reading) is cut into windows of about 200
// characters. A window has two sorts of features: n-grams of its characters and
// words, and concept grams. A concept is a set of words of all languages that
// mean the same to the detector, "ignore" or "instructions"; the lexicon is data
// in lexicon/*.txt. One linear model with weights of one byte scores the window,
// the worst window is the text's score, and two thresholds that were calibrated
// on texts of sources the model had not seen make it a verdict: at the review
// threshold one harmless workflow text in a hundred is flagged, at the block
// threshold one in a thousand.
//
// Because the score is a sum, every verdict can be taken apart: Explain names
// what each concept, combination of concepts and word adds.
//
// The work for a byte is bounded whatever the text is, and the memory held does
// not grow with it beyond the readings themselves. Safety must never rest on
// this package alone: it knows nothing of an order that is worded like ordinary
// text.
package detector
