// Package security holds the words in which Custody speaks about trust: who
// somebody is (Principal), what a run may do in their name (Mandate), what a
// step asks (Requirement), the answer (Decision), where a value comes from
// (Label) and what a guard saw (Finding).
//
// The zero value of every type is the safe one: a zero Requirement admits
// nobody, a zero Decision is a denial, a zero Label is untrusted and restricted.
package security
