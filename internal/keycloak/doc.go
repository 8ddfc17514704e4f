// Package keycloak holds the tests that need a real Keycloak. They run when
// CUSTODY_TEST_KEYCLOAK_URL names the issuer of the test realm; `make
// test-keycloak` says what else can be set. They change users, clients and keys
// of that server and put back what they changed, so nothing else may use it.
package keycloak
