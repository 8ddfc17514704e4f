package custody

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
)

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "custody.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

const example = `models:
  fast: {provider: openai, model: fake-1, base_url: "http://127.0.0.1:9101/v1", api_key: "env:FAKE_API_KEY"}
judge: {model: fast}
log: {origin: custody.example/acme}
connections:
  sink: {base_url: "http://127.0.0.1:9102", private: true}
issuers:
  - issuer: https://id.example/realms/acme
    audience: https://custody.example/api
    clients: [custody-console, custody-cli]
    profile: [rfc9068, keycloak]
    roles: [/realm_access/roles]
    acr: {mfa: mfa, "2": mfa}
    tenant: main
    agents: [custody-agent]
limits: {submissions_per_minute: 10, reads_per_minute: 60, changes_per_minute: 30}
`

func TestTheFileOfTheAPIPageIsRead(t *testing.T) {
	t.Parallel()
	got, err := Load(env(), written(t, example))
	must(t, err)
	want := Config{
		Models:      map[string]model.Model{"fast": {Provider: "openai", Model: "fake-1", BaseURL: "http://127.0.0.1:9101/v1", APIKey: "env:FAKE_API_KEY"}},
		Judge:       "fast",
		Origin:      "custody.example/acme",
		Connections: map[string]kinds.Connection{"sink": {BaseURL: "http://127.0.0.1:9102", Private: true}},
		Issuers: []oidc.Issuer{{
			Issuer: "https://id.example/realms/acme", Audience: "https://custody.example/api", Clients: []string{"custody-console", "custody-cli"},
			Profile: []string{"rfc9068", "keycloak"}, Roles: []string{"/realm_access/roles"}, ACR: map[string]string{"mfa": "mfa", "2": "mfa"},
			Tenant: "main", Agents: []string{"custody-agent"},
		}},
		Limits: Limits{SubmissionsPerMinute: 10, ReadsPerMinute: 60, ChangesPerMinute: 30},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestJSONIsAConfiguration(t *testing.T) {
	t.Parallel()
	got, err := Load(env(), written(t, `{"models": {"x": {"provider": "offline"}}, "judge": {"model": "x"}, "log": {"origin": "a/b"}}`))
	if err != nil || got.Judge != "x" || got.Origin != "a/b" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestABadFileIsRefusedWithItsPlaceAndWithoutItsContent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, place string }{
		"unknown field":        {"models:\n  fast: {provider: offline, api-key: hunter2}\n", ":2:"},
		"unknown section":      {"judge: {model: fast}\nmodel: hunter2\n", ":2:1: "},
		"wrong type":           {"limits: {reads_per_minute: hunter2}\n", ":1:"},
		"a key twice":          {"log: {origin: a}\nlog: {origin: hunter2}\n", ":2:"},
		"not YAML":             {"models: [hunter2\n", ":"},
		"two documents":        {"log: {origin: a}\n---\nlog: {origin: hunter2}\n", "more than one document"},
		"a list":               {"- hunter2\n", ":1:"},
		"not a list of issues": {"issuers: {issuer: hunter2}\n", ":1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, c.text)
			_, err := Load(env(), path)
			if err == nil || !strings.Contains(err.Error(), c.place) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want a place %q", err, c.place)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("repeats the content: %v", err)
			}
		})
	}
}

func TestAnEmptyFileIsTheEmptyConfiguration(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "{}\n"} {
		if _, err := Load(env(), written(t, text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTheEnvironmentComesBeforeTheFile(t *testing.T) {
	t.Parallel()
	got, err := Load(env(EnvIssuer, "http://127.0.0.1:8090", EnvAudience, "custody", EnvClients, "custody-cli, custody-console,", EnvProfile, "rfc9068",
		EnvListen, "127.0.0.1:1", EnvKeyDir, "/keys", EnvMode, "Production"), written(t, example))
	must(t, err)
	want := []oidc.Issuer{{Issuer: "http://127.0.0.1:8090", Audience: "custody", Clients: []string{"custody-cli", "custody-console"}, Profile: []string{"rfc9068"}}}
	if diff := cmp.Diff(want, got.Issuers); diff != "" {
		t.Error(diff)
	}
	if got.Listen != "127.0.0.1:1" || got.KeyDir != "/keys" || !got.Production {
		t.Errorf("%+v", got)
	}
}

func TestAConfigThatIsNotSafeIsRefused(t *testing.T) {
	t.Parallel()
	good := func() Config {
		return Config{
			DatabaseURL: "postgres://c@127.0.0.1/c", InsecureHTTP: true,
			Issuers: []oidc.Issuer{{Issuer: "https://id.example", Audience: "a", Clients: []string{"c"}}},
		}
	}
	c := good()
	must(t, c.validate())
	if c.Listen != "127.0.0.1:8080" || c.URL != "http://127.0.0.1:8080" || c.KeyDir != "./keys" {
		t.Errorf("the defaults: %+v", c)
	}
	for name, change := range map[string]func(*Config){
		"no database":              func(c *Config) { c.DatabaseURL = "" },
		"not a URL":                func(c *Config) { c.DatabaseURL = "host=x password=hunter2" },
		"a URL that is none":       func(c *Config) { c.DatabaseURL = "postgres://a:hunter2@[::1" },
		"nobody to trust":          func(c *Config) { c.Issuers = nil },
		"not an address":           func(c *Config) { c.Listen = "8080" },
		"metrics: not an address":  func(c *Config) { c.MetricsListen = "9090" },
		"plain HTTP for others":    func(c *Config) { c.Listen = "0.0.0.0:8080" },
		"plain HTTP for everybody": func(c *Config) { c.Listen = ":8080" },
		"plain HTTP in production": func(c *Config) { c.Production = true },
		"no certificate":           func(c *Config) { c.InsecureHTTP = false },
		"certificate without key":  func(c *Config) { c.InsecureHTTP, c.TLSCert = false, "c.pem" },
		"dev provider in production": func(c *Config) {
			c.InsecureHTTP, c.Production, c.TLSCert, c.TLSKey, c.Issuers[0].Issuer = false, true, "c", "k", "http://127.0.0.1:1"
		},
		"a drain that is not possible": func(c *Config) { c.Drain = -1 },
		"less than no limit":           func(c *Config) { c.Limits.ReadsPerMinute = -1 },
		"a limit that is none":         func(c *Config) { c.Limits.ChangesPerMinute = 2_000_000 },
	} {
		c := good()
		change(&c)
		if _, err := New(t.Context(), c); !errors.Is(err, ErrSetting) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"TLS for others":    func(c *Config) { c.InsecureHTTP, c.Listen, c.TLSCert, c.TLSKey = false, "0.0.0.0:1", "c", "k" },
		"TLS in production": func(c *Config) { c.InsecureHTTP, c.Production, c.TLSCert, c.TLSKey = false, true, "c", "k" },
		"IPv6 loopback":     func(c *Config) { c.Listen = "[::1]:1" },
		"limits":            func(c *Config) { c.Limits = Limits{SubmissionsPerMinute: 1, ReadsPerMinute: 1_000_000} },
	} {
		c := good()
		change(&c)
		if err := c.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("{}"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := decode(raw)
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
