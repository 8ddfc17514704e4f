// Package policy answers "may they?". It is pure: who asks, what is asked and
// what time it is come in, a Decision with its reasons goes out.
//
// Everything that is missing is collected; nothing stops at the first reason.
// What is not named here is denied, and so is everything in another tenant.
package policy
