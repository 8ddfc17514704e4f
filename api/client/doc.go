// Package client speaks to a Custody server over HTTP. It needs nothing but the
// standard library and knows nothing of the server's insides: its types are
// those of the API (API.md, section 5), field by field.
//
// Every refusal is a *Problem. Changing calls take an idempotency key: with one,
// a call that was cut off may be made again.
package client
