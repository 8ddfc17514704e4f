// Package signin signs a person in at an OpenID provider on behalf of a program
// without pages of its own, and keeps the tokens for the next command.
//
// It knows two ways: device authorization (RFC 8628), which needs no browser on
// this machine, and the authorization code with PKCE and a redirect to loopback
// (RFC 8252), which alone can ask for a second factor everywhere: acr_values
// and max_age belong to the authorization request (RFC 9470, section 4), and
// providers such as Keycloak ignore them in a device authorization.
//
// It checks no token. What an access token is worth, the server decides; here
// it is an opaque text that no error and no message repeats.
package signin
