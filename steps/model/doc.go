// Package model asks language models, and is the only one that knows
// langchaingo. Under langchaingo lies a wire of our own: it sends exactly one
// request for one Prompt, says what langchaingo cannot say (an ordered JSON
// Schema, no temperature), and keeps what langchaingo drops (refusals, finish
// reasons, usage, the real model's name, Retry-After, why a call ended).
//
// What differs between providers is a dialect, and stands in their files; what
// must not differ stands in wire.go and exchange.go.
//
// Nothing streams, nothing is tried again, no redirect is followed.
package model
