// Package oidc turns a bearer token into a security.Principal, or refuses it.
//
// It checks OAuth 2.0 access tokens as a resource server must (RFC 9068,
// section 4, and what RFC 8725 advises), for issuers named in the configuration
// only. It is the one package that knows coreos/go-oidc, which verifies ID
// tokens: it looks at the signature and the issuer, and everything that tells an
// access token for us from any other token of the same issuer is in the table of
// check.go.
//
// Nothing here logs, and no error holds a part of a token.
package oidc
