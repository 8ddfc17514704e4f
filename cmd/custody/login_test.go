package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/internal/signin"
)

// watched lets the shell's person follow the first address in what the command
// tells people, once.
func (sh *shell) watched(w io.Writer) io.Writer {
	if sh.browser == "" {
		return w
	}
	p := &passerBy{Writer: w, t: sh.t, person: sh.browser, done: make(chan struct{})}
	sh.browser = ""
	sh.t.Cleanup(func() {
		if p.gone {
			<-p.done
		}
	})
	return p
}

// A passerBy sits at a browser and signs in as the person. Nobody refuses.
type passerBy struct {
	io.Writer
	t      *testing.T
	person string
	gone   bool
	done   chan struct{}
}

var address = regexp.MustCompile(`http://\S+\?\S+`)

func (p *passerBy) Write(text []byte) (int, error) {
	if to := address.Find(text); to != nil && !p.gone {
		p.gone = true
		go p.visit(string(to))
	}
	return p.Writer.Write(text)
}

// visit opens the page, clicks on the name, and goes where that leads.
func (p *passerBy) visit(to string) {
	defer close(p.done)
	c := &http.Client{Timeout: 10 * time.Second}
	page, err := get(c.Get(to))
	if err != nil {
		p.t.Error(err)
		return
	}
	request := regexp.MustCompile(`name="request" value="([^"]*)"`).FindStringSubmatch(page)
	if request == nil {
		p.t.Errorf("no sign-in page: %s", page)
		return
	}
	action, _, _ := strings.Cut(to, "?")
	person := p.person
	if person == "nobody" {
		person = ""
	}
	page, err = get(c.PostForm(action, url.Values{"request": {request[1]}, "person": {person}}))
	if err != nil || !strings.Contains(page, "terminal") && person != "" {
		p.t.Errorf("the sign-in ended with %v on %s", err, page)
	}
}

func get(res *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// kept is the one file with tokens.
func (sh *shell) kept() string {
	sh.t.Helper()
	files, err := filepath.Glob(filepath.Join(sh.dir, "custody", "tokens", "*.json"))
	must(sh.t, err)
	if len(files) != 1 {
		sh.t.Fatalf("%d sign-ins are kept", len(files))
	}
	return files[0]
}

// Whatever a login prints, it is no token, and nobody else can read the file.
func TestALoginShowsNoTokenAndHidesItsFile(t *testing.T) {
	t.Parallel()
	sh := world(t)
	sh.browser = "bob"
	got := sh.run("", "token", "login", "--browser")
	if got.code != 0 || !strings.Contains(got.out, "Signed in as bob") {
		t.Fatalf("%+v", got)
	}
	file := sh.kept()
	info, err := os.Stat(file)
	must(t, err)
	dir, err := os.Stat(filepath.Dir(file))
	must(t, err)
	if info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("modes %o and %o", info.Mode().Perm(), dir.Mode().Perm())
	}
	raw, err := os.ReadFile(file)
	must(t, err)
	for _, args := range [][]string{{"token", "show"}, {"token", "show", "--json"}, {"run", "list"}} {
		more := sh.run("", args...)
		if more.code != 0 {
			t.Errorf("%v: %+v", args, more)
		}
		got.out, got.err = got.out+more.out, got.err+more.err
	}
	for _, m := range regexp.MustCompile(`"(?:access|refresh)_token":"([^"]+)"`).FindAllStringSubmatch(string(raw), -1) {
		if strings.Contains(got.out+got.err, m[1]) || strings.Contains(got.out+got.err, m[1][len(m[1])/2:]) {
			t.Error("a token was shown")
		}
	}
	must(t, os.Chmod(file, 0o644)) //nolint:gosec // that is the point
	if got := sh.run("", "run", "list"); got.code != 2 || !strings.Contains(got.err, "open to other accounts") {
		t.Errorf("a file that others can read is used: %+v", got)
	}
	must(t, os.Chmod(file, 0o600))
	if got := sh.run("", "run", "list"); got.code != 0 {
		t.Errorf("its twin is not: %+v", got)
	}
}

// A token that is about to end is renewed once, however many commands need it.
func TestCommandsBesideEachOtherRenewTheTokenOnce(t *testing.T) {
	t.Parallel()
	sh := world(t)
	sh.browser = "bob"
	if got := sh.run("", "token", "login", "--browser"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	file := sh.kept()
	raw, err := os.ReadFile(file)
	must(t, err)
	old := regexp.MustCompile(`"expires_at":"[^"]*"`).ReplaceAllString(string(raw), `"expires_at":"`+time.Now().UTC().Format(time.RFC3339)+`"`)
	must(t, os.WriteFile(file, []byte(old), 0o600))
	results := make(chan ran, 4)
	for range cap(results) {
		go func() { results <- sh.run("", "run", "list") }()
	}
	for range cap(results) {
		// Had two of them used the old refresh token, the provider would have ended the sign-in.
		if got := <-results; got.code != 0 {
			t.Errorf("%+v", got)
		}
	}
	renewed, err := os.ReadFile(file)
	must(t, err)
	if string(renewed) == old {
		t.Error("nothing was renewed")
	}
	must(t, os.WriteFile(file, []byte(old), 0o600)) // a thief's copy, or a backup
	if got := sh.run("", "run", "list"); got.code != 3 || !strings.Contains(got.err, "custody token login") {
		t.Errorf("a used refresh token: %+v", got)
	}
}

// A step-up says which command continues, and it does.
func TestAStepUpNamesTheCommandThatContinues(t *testing.T) {
	t.Parallel()
	sh := world(t)
	_, id := asked(t, sh, `{"question": "May we?"}`)
	sh.browser = "bob"
	sh.must("token", "login", "--acr", "pwd", "--browser")
	got := sh.run("y\n", "approve", id)
	if got.code != exitRefused || !strings.Contains(got.err, "custody token login --acr mfa") {
		t.Fatalf("%+v", got)
	}
	sh.browser = "bob"
	sh.must("token", "login", "--acr", "mfa")
	if got := sh.run("y\n", "approve", id); got.code != exitDone {
		t.Errorf("%+v", got)
	}
}

// RFC 9728, section 3.3: what a server says about another address is worth
// nothing.
func TestMetadataOfAnotherAddressAreNotBelieved(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"https://custody.example", "https://custody.example"}:      true,
		{"https://custody.example/", "https://CUSTODY.example"}:     true,
		{"http://127.0.0.1:8080", "http://localhost:8080"}:          true,
		{"http://127.0.0.1:8080", "http://localhost:8081"}:          false,
		{"http://127.0.0.1:8080", "https://localhost:8080"}:         false,
		{"https://custody.example", "https://custody.example.evil"}: false,
		{"https://custody.example/a", "https://custody.example"}:    false,
		{"https://custody.example", "https://custody.example:8443"}: false,
		{"https://custody.example:8443", "https://127.0.0.1:8443"}:  false,
		{"", "https://custody.example"}:                             false,
	} {
		if got := sameServer(pair[0], pair[1]); got != want {
			t.Errorf("%v: %v", pair, got)
		}
	}
}

// A server that was taken over can name a provider of its own.
func TestALoginTellsOfAnotherProviderThanBefore(t *testing.T) {
	t.Parallel()
	shelf := signin.Shelf{Dir: filepath.Join(t.TempDir(), "tokens")}
	now := time.Now()
	must(t, shelf.Save(signin.Kept{Server: "https://custody.example", Issuer: "https://id.example", Client: "cli", Access: "a", Issued: now, Expires: now}))
	for issuer, changed := range map[string]bool{"https://id.example": false, "https://evil.example": true} {
		var told strings.Builder
		s := &session{terminal: terminal{out: io.Discard, err: &told, env: func(string) string { return "" }}, flags: flags{URL: "https://custody.example/"}}
		s.destination(shelf, issuer)
		if got := told.String(); strings.Contains(got, "Note: ") != changed || !strings.Contains(got, issuer) || !strings.Contains(got, "Token for   https://custody.example\n") {
			t.Errorf("%s: %s", issuer, got)
		}
	}
}
