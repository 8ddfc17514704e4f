// Package approval holds the one rule by which people approve a step of a run.
// It is pure: votes, clock and keys come in, a state or a refusal goes out.
//
// What a person signs is a Document: one canonical JSON text that names the
// request, the run, the step and attempt, the workflow version, who asked, and
// the commitment of everything that was shown. Its SHA-256 is the digest that
// the client recomputes and that the vote repeats.
//
// A vote is a Statement signed with the mandate key when it is cast. Three
// functions know the rule, and they share it: Eligible says who may vote,
// Decide what a vote or the clock does to a request, and Use, before the
// approved step goes on, recomputes everything from the signed statements and
// believes no column.
package approval
