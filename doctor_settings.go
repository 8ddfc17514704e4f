package custody

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/custodyhq/custody/steps/model"
)

// Variables are all environment variables of Custody's own that any part of the
// program reads. A test compares the list with the source.
func Variables() []string {
	return []string{
		EnvDatabase, EnvListen, EnvMetrics, EnvConfig, EnvKeyDir, EnvURL, EnvTLSCert, EnvTLSKey,
		EnvIssuer, EnvAudience, EnvClients, EnvProfile, EnvMode, EnvObserve, "CUSTODY_LOG", "CUSTODY_LOG_LEVEL",
		envToken, envTokenFile, "CUSTODY_PG_BIN", "CUSTODY_MAVEN_REPOSITORY",
	}
}

// The variables of the command line as a client.
const (
	envToken     = "CUSTODY_TOKEN" // a name
	envTokenFile = "CUSTODY_TOKEN_FILE"
)

const ours = "CUSTODY_"

func (e *examination) settings(ctx context.Context, s *sheet) {
	e.environment(s)
	e.together(s)
	e.file(s)
	s.tell("database URL", e.cfg.validateDatabase(), "set "+EnvDatabase+" in the environment of the process")
	e.transport(s)
	e.addresses(ctx, s)
	e.secrets(s)
	if e.cfg.Observe.After(time.Now()) {
		s.hint("prompt firewall", "it only observes until "+e.cfg.Observe.UTC().Format(time.RFC3339)+": what would stop a text is only noted",
			"unset "+EnvObserve+" in the environment of every process, and start them again")
	}
	if e.in.Unread == nil && e.cfg.Limits == (Limits{}) {
		s.hint("limits", "none are set: one person can keep everybody else waiting",
			"write limits: {submissions_per_minute: 10, reads_per_minute: 60} into the configuration file")
	}
}

// environment looks for names that nobody reads: a misspelt one is a setting
// that silently is not in force.
func (e *examination) environment(s *sheet) {
	mine := e.secretVariables()
	good := true
	for _, pair := range slices.Compact(slices.Sorted(slices.Values(e.in.Environ))) {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(strings.ToUpper(name), ours) || strings.HasPrefix(name, "CUSTODY_TEST_") ||
			slices.Contains(Variables(), name) || slices.Contains(mine, name) {
			continue
		}
		good = false
		if meant := nearest(name, Variables()); meant != "" {
			s.problem("environment", name+" is set, and nothing reads it; did you mean "+meant+"?", "rename it to "+meant+", or unset it")
			continue
		}
		s.hint("environment", name+" is set, and nothing reads it", "unset it; the variables are in docs/operations.md")
	}
	if good {
		s.well("environment", "")
	}
}

// secretVariables are those that the configuration file refers to.
func (e *examination) secretVariables() []string {
	var out []string
	for _, ref := range e.references() {
		if name, ok := strings.CutPrefix(ref, "env:"); ok {
			out = append(out, name)
		}
	}
	return out
}

// references are all secrets that the configuration names, each once.
func (e *examination) references() []string {
	var out []string
	for _, m := range e.cfg.Models {
		out = append(out, m.APIKey)
	}
	for _, c := range e.cfg.Connections {
		out = append(out, c.Token)
		out = slices.AppendSeq(out, maps.Values(c.Headers))
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(ref string) bool { return ref == "" })
}

func (e *examination) value(name string) string {
	for _, pair := range e.in.Environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// together looks for settings that do not go with each other.
func (e *examination) together(s *sheet) {
	if mode := e.value(EnvMode); mode != "" && !e.cfg.Production {
		s.problem("mode", EnvMode+" is set to something that means nothing: only production means something", "set "+EnvMode+"=production, or unset it")
	}
	if e.value(EnvIssuer) == "" {
		for _, name := range []string{EnvAudience, EnvClients, EnvProfile} {
			if e.value(name) != "" {
				s.problem("issuer", name+" is set and has no effect: "+EnvIssuer+" is not", "set "+EnvIssuer+" as well, or unset "+name)
			}
		}
	} else if e.in.File != "" && e.in.Unread == nil && e.fileHasIssuers() {
		s.hint("issuer", EnvIssuer+" replaces the issuers of the configuration file", "unset the CUSTODY_OIDC_ variables, or take issuers out of the file")
	}
	if e.value(envToken) != "" && e.value(envTokenFile) != "" {
		s.hint("token", envToken+" is used, and "+envTokenFile+" is not", "unset one of them")
	}
	if e.in.Unread == nil && len(e.cfg.Issuers) == 0 {
		s.problem("issuer", "no issuer is configured, so nobody could sign in",
			"set "+EnvIssuer+", "+EnvAudience+" and "+EnvClients+", or write issuers into the configuration file")
	}
	for _, is := range e.cfg.Issuers {
		if e.cfg.Production && strings.HasPrefix(is.Issuer, "http:") {
			s.problem("issuer", "an http: issuer, such as the development provider, is not possible with "+EnvMode+"=production", "use an https: one")
		}
	}
}

func (e *examination) fileHasIssuers() bool {
	alone, err := Load(func(string) string { return "" }, e.in.File)
	return err == nil && len(alone.Issuers) > 0
}

func (e *examination) file(s *sheet) {
	if e.in.Unread != nil {
		s.problem("configuration file", e.in.Unread.Error(), "mend the file at that place; its fields are in docs/operations.md")
		return
	}
	if e.in.File == "" {
		s.well("configuration file", "none")
		return
	}
	if others(e.in.File, 0o022) {
		s.problem("configuration file", e.in.File+" can be written to by others, and says whom to trust", "run `chmod go-w "+e.in.File+"`")
		return
	}
	s.well("configuration file", e.in.File)
}

// transport is how clients reach the process.
func (e *examination) transport(s *sheet) {
	cfg := e.cfg // validate fills defaults
	cfg.Listen = orListen(cfg.Listen)
	if err := cfg.validateListen(); err != nil {
		s.problem("transport", err.Error(), "set them in the environment of the process; certificate and key are files in PEM")
	} else {
		s.well("transport", "")
	}
	host, _, _ := net.SplitHostPort(cfg.Listen)
	ip := net.ParseIP(host)
	switch u, err := url.Parse(cfg.URL); {
	case cfg.URL == "" && (host == "" || ip != nil && ip.IsUnspecified()):
		s.hint("public URL", "it listens on every address, and clients are told the URL of none", "set "+EnvURL+" to the address that clients use, such as https://custody.example")
	case cfg.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http"):
		s.problem("public URL", EnvURL+" is not a URL such as https://custody.example", "set it to the address that clients use")
	case cfg.URL != "" && u.Scheme == "http" && !loopback(u.Hostname()):
		s.problem("public URL", EnvURL+" is an http: address: tokens would be sent to it in clear", "use https: with a certificate ("+EnvTLSCert+")")
	}
}

func orListen(listen string) string {
	if listen == "" {
		return "127.0.0.1:8080"
	}
	return listen
}

// addresses tries to listen. An address in use is good: this process, or one
// beside it, serves there.
func (e *examination) addresses(ctx context.Context, s *sheet) {
	seen := map[string]string{}
	for _, a := range []struct{ name, address string }{{EnvListen, orListen(e.cfg.Listen)}, {EnvMetrics, e.cfg.MetricsListen}} {
		_, port, err := net.SplitHostPort(a.address)
		if a.address == "" || err != nil {
			continue // said by transport
		}
		if other := seen[a.address]; other != "" && port != "0" {
			s.problem("addresses", a.name+" and "+other+" are the same address", "give "+a.name+" a port of its own, or unset it")
			continue
		}
		seen[a.address] = a.name
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.address)
		switch {
		case err == nil:
			_ = l.Close()
			s.well(a.name, a.address)
		case errors.Is(err, syscall.EADDRINUSE):
			s.well(a.name, a.address+" is in use: by a process of this installation, if one runs")
		case errors.Is(err, syscall.EACCES):
			s.problem(a.name, "this account may not listen on "+a.address, "use a port from 1024 on, or give the service AmbientCapabilities=CAP_NET_BIND_SERVICE")
		default:
			s.problem(a.name, "cannot listen on "+a.address+": this machine does not have the address", "use an address of this machine, or 0.0.0.0 (IPv6: [::]) for all")
		}
	}
	if host, _, err := net.SplitHostPort(e.cfg.MetricsListen); err == nil && !loopback(host) {
		s.hint("metrics address", "it is open to the network, without TLS and without a sign-in", "let only the monitoring reach it, or listen on 127.0.0.1")
	}
}

// secrets looks at who else may read the files that hold them; that they are
// there is looked at where they are used.
func (e *examination) secrets(s *sheet) {
	for _, ref := range e.references() {
		if path, ok := strings.CutPrefix(ref, "file:"); ok && others(path, 0o007) {
			s.problem("secrets", path+" can be read by everybody on this machine", "run `chmod o= "+path+"`")
		}
		if _, err := model.Secret(ref); err != nil {
			s.problem("secrets", "a secret that the configuration file names is not there: "+err.Error(), "set the variable, or write the file, for the account of the process")
		}
	}
	u, err := url.Parse(e.cfg.DatabaseURL)
	if err != nil || e.cfg.DatabaseURL == "" {
		return
	}
	mode := u.Query().Get("sslmode")
	if host := u.Hostname(); host != "" && !loopback(host) && mode != "verify-full" && mode != "verify-ca" {
		s.note(e.grave(), "database URL", "the connection to the database is not protected against somebody in between", "add sslmode=verify-full (and sslrootcert=FILE) to "+EnvDatabase)
	}
}

// others reports whether the file lets others do something. A file that is not
// there lets nobody.
func others(path string, bits os.FileMode) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&bits != 0
}

// nearest is the known name that the text was probably meant to be, or "".
func nearest(text string, known []string) string {
	best, least := "", 4
	for _, k := range known {
		if d := distance(strings.ToUpper(text), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters to insert, remove or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
