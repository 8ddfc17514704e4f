// Package waiver holds what lets a text pass that the prompt firewall would
// stop: the release of a text, and the order that the firewall only observes.
// Both are statements that Custody signs when somebody with the right to says
// so, and that are verified when they are used: a row in a database is none.
// The package is pure.
package waiver
