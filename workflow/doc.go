// Package workflow is the definition of a workflow: what its steps are, what
// each may see, who may ask for it, and what may run next.
//
// It is pure. It does no I/O, reads no clock, and knows neither the queue nor
// the database, so authors can test a definition on a laptop. A definition is
// written in YAML (Parse) or in Go (New); both make the same Definition with
// the same Digest, and the digest of the canonical form is the version.
//
// Values carry labels. An expression yields a value, never text that is parsed
// again, and the label of what it read follows it into the next step. From the
// labels Parse decides whether an effect could be steered by somebody other
// than the author, and refuses the definition if so.
package workflow
