// Command train makes the weights of package detector and measures them.
//
//	go run ./security/guard/train -dev PATH -eval        the tables: held-out sources, pairs, blind texts
//	go run ./security/guard/train -dev PATH -out FILE    the weights
//
// The same texts give the same bytes, on any machine and any number of
// processors.
//
// # Format
//
// The development set and the files in corpus/ are JSON lines (the former may be
// packed with gzip), one text a line:
//
//	text      the text
//	label     "attack" or "benign"
//	kind      of attacks direct, leak, jailbreak, indirect, exfil, multilingual or
//	          obfuscation; of harmless texts support, general, document, email,
//	          code, llm-docs, roleplay, security-doc, trigger-words, harm-adjacent,
//	          encoded or multilingual
//	source    whose hand it is; "own/<batch>" for texts that this project wrote
//	span      [from, to] in characters: the attack inside a harmless text (optional)
//	channel   person, document, tool or model (optional)
//	lang      ISO 639-1 (optional)
//	variant   what a multilingual text is (optional)
//	license   and id: for the record
//
// # Protocol
//
// Whole sources are held out: they are dealt into eight folds (fold.go), and
// each fold is judged by a model that saw no text of its sources, no text made
// from them, and no attack that shares wording with them. Encoded attacks and
// attacks inside documents are made here, from texts of one fold. Thresholds are
// set on harmless texts by models that had not seen their sources. The batches
// of the own corpora are dealt into the same folds, so their rows are held out
// too.
package main
