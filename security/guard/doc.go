// Package guard is the prompt firewall. It reads what goes into a step and what
// comes out of it, and makes the only two types a step may use: Checked input
// and Released output. Neither can be made outside this package, so a step that
// skips a guard does not compile.
//
// On the way in, Check reads every value that the author did not write in all
// its readings (as it stands, with look-alikes folded, decoded from base64, and
// so on) and refuses instructions aimed at a model. On the way out, Screen asks
// the schema, then looks for secrets and personal data in every string, and
// Screened.Release asks for the verdict of the judge.
//
// The rules are exact and explained, and they are not what safety rests on: an
// instruction in plain words passes every text rule. Labels, flow rules, roles
// and approvals hold when this package is silent.
//
// The package is pure: no I/O, no clock, no configuration beyond Config. Its
// time and memory are linear in the size of the text.
package guard
