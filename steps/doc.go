// Package steps is the pipeline through which every step of a run goes:
//
//	Admit    may the caller do this now?           Mandate    -> Admitted
//	Check    is what goes in harmless?             Admitted   -> Checked
//	Execute  do it, once                           Checked    -> Draft
//	Screen   does what came out keep the rules?    Draft      -> guard.Screened
//	Judge    does a second model object?           Screened   -> guard.Verdict
//
// Each stage takes what only the stage before it can make, so leaving one out
// does not compile, and the zero value of each type is refused at run time.
// Between the stages the engine commits to the ledger; this package never sees
// a database, and holds no state between calls.
package steps
