// Package stepstest is for whoever writes a step kind: Exercise checks that a
// steps.Runner keeps its contract, a Rig takes single steps through the real
// pipeline, and a Model is a language model that says what a script tells it.
package stepstest
