package keycloak

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/custodyhq/custody"
)

const page = "../../docs/keycloak.md"

// A block is one fenced piece of the page.
type block struct{ info, text string }

func blocks(t *testing.T) []block {
	t.Helper()
	raw, err := os.ReadFile(page)
	must(t, err)
	var out []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z][^\n]*)\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		out = append(out, block{m[1], m[2]})
	}
	return out
}

// A newcomer follows docs/keycloak.md word for word, in an empty directory,
// with the two names replaced.
type newcomer struct {
	t       *testing.T
	realm   *realm // acme
	names   *strings.Replacer
	dir     string
	env     []string
	people  map[string]*browser
	serving *site
	web     string // alice's token of the web application
}

// wanted is what the page promises of a block that holds a text.
func wanted() map[string][]string {
	return map[string][]string{
		"custody token login\n":     {"Signed in as Bob Legal until", "renewed when needed"},
		"token login --acr mfa\n":   {"Signed in as Bob Legal with a second factor", "sign-in   mfa, fresh and strong enough to approve", "roles     legal"},
		"doctor token":              {"accepted: true"},
		"--token-file agent.token":  {"kind      agent", "roles     analyst", "sign-in   none"},
		"--token-file acting.token": {"kind      human", "roles     analyst", "acting    custody-agent", "sign-in   none"},
		"custody token logout":      {"signed out"},
		"test $? -eq 3":             {"signed in, but without a second factor", "without --device"},
		"config credentials":        {"Logging into"},
		"create users -r acme":      {"Created new user"},
	}
}

// One realm, one story.
func TestThePageIsTrueWordForWord(t *testing.T) { //nolint:paralleltest // it needs the server for itself
	k := live(t)
	kcadm, err := exec.LookPath(cmp.Or(os.Getenv("CUSTODY_TEST_KEYCLOAK_KCADM"), "kcadm.sh"))
	if err != nil {
		t.Skip("needs kcadm.sh: put it on the PATH, or set CUSTODY_TEST_KEYCLOAK_KCADM")
	}
	n := arrive(t, k, kcadm)
	listener := listening(t)
	n.names = strings.NewReplacer("https://id.example", k.base(), "https://custody.example", "http://"+listener.Addr().String())
	for _, b := range blocks(t) {
		text := n.names.Replace(b.text)
		kind, more, _ := strings.Cut(b.info, " ")
		switch {
		case b.info == "json realm":
			n.save("acme.json", text)
		case b.info == "yaml config":
			n.save("custody.yaml", text)
			cfg, err := custody.Load(func(string) string { return "" }, filepath.Join(n.dir, "custody.yaml"))
			must(t, err)
			n.serving = serving(t, listener, cfg.Issuers[0])
		case kind == "sh" && strings.HasPrefix(more, "file "):
			n.save(strings.TrimPrefix(more, "file "), text)
		case kind == "sh" && strings.HasPrefix(more, "keycloak"):
			n.follow(text, strings.TrimSpace(strings.TrimPrefix(more, "keycloak")))
		default:
			t.Errorf("nobody runs a block %q", b.info)
		}
	}
	n.serving.ends(t, n.web) // alice has left
	// What section 5 says of the device flow, in a browser that has proved nothing.
	bob := n.realm.browser("bob")
	n.people["bob"] = bob
	n.follow(n.names.Replace("export CUSTODY_URL=https://custody.example; custody token login --acr mfa --device || test $? -eq 3"), "bob")
	if strings.Join(bob.filled, " ") != "password accept" {
		t.Errorf("the device flow asked for %v", bob.filled)
	}
}

// arrive makes the surroundings: the program, an empty directory, and a server
// without the realm.
func arrive(t *testing.T, k *realm, kcadm string) *newcomer {
	t.Helper()
	acme := &realm{issuer: k.base() + "/realms/acme", admin: k.base() + "/admin/realms/acme", t: t}
	res, err := http.Get(acme.issuer) //nolint:noctx // a test's own question
	must(t, err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Fatal("the server has a realm acme: the page makes one, so delete it first")
	}
	t.Cleanup(func() { acme.call(http.MethodDelete, "", nil, nil) })
	dir := t.TempDir()
	bin := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "custody"), "../../cmd/custody").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return &newcomer{t: t, realm: acme, dir: dir, people: map[string]*browser{}, env: []string{
		"PATH=" + bin + ":" + filepath.Dir(kcadm) + ":" + os.Getenv("PATH"), "HOME=" + dir,
		"JAVA_HOME=" + os.Getenv("JAVA_HOME"), "KC_CLI_PASSWORD=" + cmp.Or(os.Getenv("CUSTODY_TEST_KEYCLOAK_ADMIN"), "admin"),
	}}
}

func (n *newcomer) save(name, text string) {
	n.t.Helper()
	must(n.t, os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600))
}

// person is somebody at a browser, always the same one.
func (n *newcomer) person(name string) *browser {
	n.t.Helper()
	if n.people[name] == nil {
		b := n.realm.browser(name)
		b.password = "first-" + name
		n.people[name] = b
	}
	return n.people[name]
}

// follow runs a block; person goes where it sends people.
func (n *newcomer) follow(text, person string) {
	n.t.Helper()
	env := n.env
	if strings.Contains(text, "$PERSON_TOKEN") {
		alice := n.person("alice")
		alice.redirect = "https://app.example/callback"
		n.web = alice.signIn("custody-web", nil).access
		env = append(env[:len(env):len(env)], "PERSON_TOKEN="+n.web)
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	out := &told{}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = n.dir, env, out, out
	must(n.t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if person != "" {
		n.person(person).follow(out.address(n.t))
	}
	if err := <-done; err != nil {
		n.t.Fatalf("%v\n%s\n%s", err, text, out)
	}
	n.t.Logf("%s\n%s", text, out)
	for has, promises := range wanted() {
		if !strings.Contains(text, has) {
			continue
		}
		for _, p := range promises {
			if !strings.Contains(out.String(), p) {
				n.t.Errorf("no %q after\n%s\nbut\n%s", p, text, out)
			}
		}
	}
}

// told is what a command has said so far.
type told struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *told) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var shown = regexp.MustCompile(`(?m)(https?://\S+\?\S+)$`)

// address is the first one with a question in it.
func (o *told) address(t *testing.T) string {
	t.Helper()
	for range 600 {
		if m := shown.FindStringSubmatch(o.String()); m != nil && strings.Contains(o.String(), "Waiting") {
			return m[1]
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no address was shown:\n%s", o)
	return ""
}

// What the page quotes of our messages, our code says.
func TestThePageQuotesRealMessages(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(page)
	must(t, err)
	var code strings.Builder
	must(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		code.Write(text)
		return err
	}))
	_, trouble, _ := strings.Cut(string(raw), "| Symptom |")
	quotes := 0
	for line := range strings.SplitSeq(trouble, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z][^`]{20,})`").FindAllStringSubmatch(cells[1], -1) {
			quotes++
			if !strings.Contains(code.String(), m[1]) && !strings.HasPrefix(m[1], "sign-in") {
				t.Errorf("nothing says %q", m[1])
			}
		}
	}
	if quotes < 10 {
		t.Errorf("%d quotes were found", quotes)
	}
}
