package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
)

// flags stand before every command.
type flags struct {
	URL       string `name:"url" placeholder:"URL" help:"The server; else CUSTODY_URL, else http://127.0.0.1:8080."`
	TokenFile string `name:"token-file" complete:"file" placeholder:"FILE" help:"File with a bearer token; else CUSTODY_TOKEN, CUSTODY_TOKEN_FILE."`
	As        string `name:"as" placeholder:"NAME" help:"Sign in as a person of the development provider. Works only against 'custody dev'."`
	JSON      bool   `name:"json" help:"Write one JSON document to stdout, and errors as problem objects to stderr."`
	NoColor   bool   `name:"no-color" help:"No colours; as NO_COLOR, CLICOLOR=0 and TERM=dumb do."`
}

// A session is one invocation of the program.
type session struct {
	terminal
	flags
	mu    sync.Mutex
	token string    // of --as: kept in memory only
	until time.Time // when it is time for another
	file  string    // the input file of this command, for the place of a fault
}

func (s *session) server() string {
	url, _ := s.address()
	return strings.TrimRight(url, "/")
}

// address is where the server is, and who says so.
func (s *session) address() (url, origin string) {
	switch {
	case s.URL != "":
		return s.URL, "--url"
	case s.env("CUSTODY_URL") != "":
		return s.env("CUSTODY_URL"), "CUSTODY_URL"
	}
	return "http://127.0.0.1:8080", "the default"
}

// client is a client with the caller's token.
func (s *session) client() (*client.Client, error) { return s.clientBy(nil) }

func (s *session) clientBy(hc *http.Client) (*client.Client, error) {
	c, err := client.New(client.Config{URL: s.server(), Token: s.bearer, HTTP: hc, UserAgent: "custody-cli"})
	if err != nil {
		_, origin := s.address()
		return nil, usage("the server's address (from %s) cannot be used: %w", origin, err)
	}
	return c, nil
}

// bearer finds the caller's token: --as, --token-file, the environment, then
// the sign-in of `custody token login`.
func (s *session) bearer(ctx context.Context) (string, error) {
	if s.As != "" {
		return s.signIn(ctx)
	}
	if file := s.TokenFile; file != "" {
		return tokenIn(file)
	}
	if token := s.env("CUSTODY_TOKEN"); token != "" {
		return token, nil
	}
	if file := s.env("CUSTODY_TOKEN_FILE"); file != "" {
		return tokenIn(file)
	}
	return s.kept(ctx)
}

func tokenIn(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", failed(exitUsage, "token file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 64<<10))
	token := strings.TrimSpace(string(raw))
	if err != nil || token == "" || strings.ContainsAny(token, " \r\n") {
		return "", failed(exitUsage, "token file: %s does not hold one token", file)
	}
	return token, nil
}

// signFresh is how long a token of --as is used: less than it lives.
const signFresh = 8 * time.Minute

// signIn signs --as in, again when a watch outlives the token.
func (s *session) signIn(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && time.Now().Before(s.until) {
		return s.token, nil
	}
	s.until = time.Now().Add(signFresh)
	issuer, err := s.devIssuer(ctx)
	if err != nil {
		return "", err
	}
	if s.As == devidp.Agent {
		s.token, err = devToken(ctx, issuer, url.Values{"as": {s.As}})
		return s.token, err
	}
	if err := knownPerson(s.As); err != nil {
		return "", err
	}
	s.token, err = devidp.SignIn(ctx, issuer, s.As)
	return s.token, err
}

func knownPerson(name string) error {
	people := devidp.People()
	if name == devidp.Agent || slices.ContainsFunc(people, func(p devidp.Person) bool { return p.Name == name }) {
		return nil
	}
	names := make([]string, len(people))
	for i, p := range people {
		names[i] = p.Name
	}
	return usage("the development provider knows nobody of that name: %s or %s", strings.Join(names, ", "), devidp.Agent)
}

// devIssuer asks the server for its provider, and refuses any that is not a
// development provider: anybody may be anybody there, and nowhere else.
func (s *session) devIssuer(ctx context.Context) (string, error) {
	const only = "--as and `token dev` work only against `custody dev`: "
	server, err := url.Parse(s.server())
	if err != nil || !loopback(server.Hostname()) {
		return "", usage(only + "the server is not on this machine")
	}
	c, err := client.New(client.Config{URL: s.server(), UserAgent: "custody-cli"})
	if err != nil {
		return "", err
	}
	defer c.Close()
	resource, err := c.Resource(ctx)
	if err != nil {
		return "", err
	}
	for _, issuer := range resource.Servers {
		if u, err := url.Parse(issuer); err == nil && u.Scheme == "http" && loopback(u.Hostname()) {
			return issuer, nil
		}
	}
	return "", usage(only + "this server trusts another provider; use --token-file")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// devToken asks the development provider for a token without a sign-in.
func devToken(ctx context.Context, issuer string, form url.Values) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/dev/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Custody-Dev", "1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask the development provider: %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Access string `json:"access_token"`
		Why    string `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return "", errors.New("the development provider's answer cannot be read")
	}
	if answer.Access == "" {
		return "", usage("the development provider refuses: %s", cmp.Or(answer.Why, res.Status))
	}
	return answer.Access, nil
}

// helper is a command line for people to type next, as this session would.
func (s *session) helper(person, command string) string {
	line := "custody "
	if s.URL != "" {
		line += "--url " + s.URL + " "
	}
	if s.As != "" && person != "" {
		line += "--as " + person + " "
	}
	return line + command
}
