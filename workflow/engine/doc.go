// Package engine moves runs. It is the only package that knows River: a job
// is {run, epoch} and means "drive this run until nothing more can happen
// now". What a run may do next is decided by workflow.Next, what a step may do
// by the pipeline in package steps, and every move is committed by the store.
//
// The protocol (docs/model, DESIGN section 4) in five sentences. A driver
// claims its run in the commit of its first move and carries the run's epoch
// in each one; a commit under another epoch is refused. No request leaves
// before its intent is committed, and only while this process's lease is
// fresh. An outcome is committed with the intents that follow it. A run that
// waits has no job, no goroutine and no holder; whoever makes it runnable
// again raises the epoch and adds a job, or nudges the holder if there is one.
// What a dead process left open is ended as unknown by whoever drives next.
package engine
