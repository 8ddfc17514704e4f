// Package kinds makes the kinds of step that a server offers out of its config:
// llm, http, and the functions of a program that embeds Custody. A kind is two
// things: what the definition must know (workflow.Kind) and what does the work
// (steps.Runner).
package kinds
