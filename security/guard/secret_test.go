package guard

import (
	"encoding/base64"
	"strings"
	"testing"
)

// Every key here is made up, and put together here so that scanners of source
// code do not take it for a real one.
func TestSecretsAreFoundAndTheirTwinsAreNot(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	random := "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY3zA5bC7d"
	jwt := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + random
	for rule, c := range map[string]struct{ yes, no string }{
		"secret.aws-key":            {awsKey, "AKIAXX and SAKIA" + awsKey[4:]},
		"secret.github-token":       {"ghp_" + random[:36], "ghp_your_token_here and " + strings.Repeat("a", 40)},
		"secret.slack-token":        {"xoxb-2345678901-" + random[:24], "xoxb-your-token-goes-here-please"},
		"secret.stripe-key":         {"sk_live_" + random[:24], "sk_live_..."},
		"secret.google-key":         {"AIza" + random[:35], "AIzawa is a town"},
		"secret.openai-key":         {"sk-proj-" + random, "sk-proj-ect-names-are-lower-case-and-hyphenated"},
		"secret.anthropic-key":      {"sk-ant-api03-" + random, "sk-ant-<your key>"},
		"secret.hugging-face-token": {"hf_" + random[:34], "hf_transformers_cache"},
		"secret.jwt":                {jwt, "eyJ.is.nothing and eyJhbGciOi.without.algorithm"},
		"secret.private-key":        {"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAB==\n-----END RSA PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----\nMIIBIj\n-----END PUBLIC KEY-----"},
		"secret.url-password":       {"postgres://app:s3cr3t-Xyz9@db.internal:5432/app", "postgres://app@db.internal/app and postgres://app:${PASSWORD}@db/app and see 3://x"},
		"secret.password":           {`password = "hunter2!hunter2"`, "The password must have eight characters. password: required; password=${DB_PASSWORD}"},
		"secret.key":                {`"api_key": "` + random + `"`, `"api_key": "your-api-key-here", token: string, secret_key = os.environ["KEY"]`},
	} {
		for _, frame := range []string{"%", "The value is %, as agreed.", "{\"a\": \"%\"}", "Größe: %\n"} {
			text := strings.Replace(frame, "%", c.yes, 1)
			found := false
			for _, s := range g.scan(text, "", false, true) {
				checkSpan(t, text, s)
				found = found || s.rule == rule
			}
			if !found {
				t.Errorf("%s: not found in %q", rule, text)
			}
			for _, s := range g.scan(strings.Replace(frame, "%", c.no, 1), "", false, true) {
				t.Errorf("%s: the twin %q has %s at %d", rule, c.no, s.rule, s.lo)
			}
		}
	}
}

func TestAnAuthorizationHeaderIsASecret(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	if len(g.scan("Authorization: Bearer 9f8a7b6c5d4e3f2a1b0c", "", false, true)) != 1 {
		t.Error("the bearer token was not found")
	}
	if found := g.scan("Authorization: Bearer $TOKEN", "", false, true); len(found) != 0 {
		t.Errorf("a variable was found: %+v", found)
	}
}

func TestEncodedSecretsAreFoundAsTheWholeCode(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	code := base64.StdEncoding.EncodeToString([]byte("the key is " + awsKey + " for now"))
	s, _, err := g.Screen("See "+code+" there", caller, "", OutRules{Secrets: Redact}, Pardon{})
	if err != nil || string(s.Bytes()) != `"See [redacted:secret] there"` {
		t.Errorf("Screen = %s, %v", s.Bytes(), err)
	}
}
