// Package lexicon is the firewall's word lists: concepts.txt declares the
// concepts, and each other file lists the words of one language for them. It has
// no code; the detector embeds the files, and the tests here keep them in order.
package lexicon
