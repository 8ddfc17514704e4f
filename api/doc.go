// Package api is the edge: HTTP in, problems and ledger receipts out. It turns a
// bearer token into a principal, hands it on as an argument, and maps what the
// engine and the store answer to the outer surface (API.md, sections 4 and 5).
// It decides nothing: who may do what is policy's, and everything that changes a
// run is the engine's.
//
// The order of a request: recover, request id, security headers, authentication,
// body limit, and only then routing, parameters and body. So without a token
// nothing can be learnt, not even which routes exist.
package api
