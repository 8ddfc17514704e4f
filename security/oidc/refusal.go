package oidc

import "errors"

// ErrUnavailable says that the token could not be judged: the issuer's keys or
// the subject's name cannot be had just now. It is a 503, never a 401: the
// token may be good, and the caller should come back with it.
var ErrUnavailable = errors.New("the token cannot be checked just now")

// A TokenError says why a token is refused: a 401 with error="invalid_token"
// (RFC 6750, section 3.1).
type TokenError struct {
	// Code names the check that failed, from a closed list: size, shape, issuer,
	// and the names of Report's checks.
	Code string
	// Description is a fixed sentence per Code in the characters that
	// error_description allows. It holds nothing of the token.
	Description string
}

// Error is the description.
func (e *TokenError) Error() string { return e.Description }
