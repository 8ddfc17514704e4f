// Package guard is the prompt firewall. It reads what goes into a step and what
// comes out of it, and makes the only two types a step may use: Checked input
// and Released output. Neither can be made outside this package, so a step that
// skips a guard does not compile.
//
// It is a door with four packages behind it: reading makes the readings of a
// text, detector scores them, sensitive finds personal data and secrets, egress
// finds what an output must not carry out.
//
// On the way in, Check lets the detector read every value that the author did
// not write, on the channel on which it comes, and refuses orders to a model. On
// the way out, Screen asks the schema, then looks for secrets, personal data,
// leaks, links, markup and the like in every string, and Screened.Release asks for
// the verdict of the judge. A Refusal says whether a person's review or another
// answer of the model would be enough, and a Pardon what people decided.
//
// Every finding is explained, and none of it is what safety rests on: what is
// worded well enough passes any detector. Labels, flow rules, roles and approvals
// hold when this package is silent.
//
// The package is pure: no I/O, no clock, no configuration beyond Config. Its
// time and memory are linear in the size of the text.
package guard
