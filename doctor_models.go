package custody

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"

	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
)

func (e *examination) models() []look {
	out := []look{{"models", checkLimit, e.aliases}}
	for _, alias := range slices.Sorted(maps.Keys(e.cfg.Models)) {
		m := e.cfg.Models[alias]
		if m.Provider != model.Offline {
			out = append(out, look{"models", checkLimit, func(ctx context.Context, s *sheet) { askModel(ctx, s, alias, m) }})
		}
	}
	return out
}

// aliases looks at models and judge without asking any server.
func (e *examination) aliases(_ context.Context, s *sheet) {
	models, err := model.New(model.Config{Models: e.cfg.Models})
	if !s.tell("models", err, "mend models in the configuration file, and set the secrets that it names") {
		return
	}
	defer models.Close()
	judge, there := e.cfg.Models[e.cfg.Judge]
	switch {
	case len(e.cfg.Models) == 0:
		s.hint("models", "none is configured: llm steps cannot run", "write models into the configuration file")
	case e.cfg.Judge == "":
		s.hint("judge", "no second model is configured: outputs are checked by rules only", "write judge: {model: ALIAS} into the configuration file")
	case !there:
		s.problem("judge", "judge.model names an alias that models does not have", "write one of the aliases under models")
	case judge.Provider == model.Offline:
		s.note(e.grave(), "judge", "the offline model judges, and it is no language model", "let a real model judge")
	default:
		s.well("judge", e.cfg.Judge)
	}
}

// askModel asks for the list of models, which costs nothing.
func askModel(ctx context.Context, s *sheet, alias string, m model.Model) {
	models, err := model.New(model.Config{Models: map[string]model.Model{alias: m}})
	if err != nil {
		return // said by aliases
	}
	defer models.Close()
	if u, err := url.Parse(m.BaseURL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		s.hint(alias, "prompts and the key are sent to it in clear", "use https: in base_url")
	}
	s.tell(alias, models.Check(ctx, alias), "check base_url, model and api_key of this alias, and that this machine reaches the provider (docs/models.md)")
}

func (e *examination) connections() []look {
	out := []look{{"connections", checkLimit, e.wiring}}
	for _, name := range slices.Sorted(maps.Keys(e.cfg.Connections)) {
		c := e.cfg.Connections[name]
		out = append(out, look{"connections", checkLimit, func(ctx context.Context, s *sheet) { arrive(ctx, s, name, c) }})
	}
	return out
}

// wiring puts the kinds of step together as a process does.
func (e *examination) wiring(_ context.Context, s *sheet) {
	models, err := model.New(model.Config{Models: e.cfg.Models})
	if err != nil {
		return // said beside the models
	}
	defer models.Close()
	set, err := kinds.New(kinds.Config{Models: models, Connections: e.cfg.Connections, Funcs: e.cfg.Funcs})
	if s.tell("connections", err, "mend connections in the configuration file, and set the secrets that it names") {
		set.Close()
	}
}

// arrive resolves the connection's host, looks where that leads, and knocks. It
// sends nothing.
func arrive(ctx context.Context, s *sheet, name string, c kinds.Connection) {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Hostname() == "" {
		return // said by wiring
	}
	if u.Scheme == "http" && (c.Token != "" || len(c.Headers) > 0) && !loopback(u.Hostname()) {
		s.hint(name, "its secrets are sent in clear", "use https: in its base_url")
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		s.problem(name, "its host's name is unknown here", "correct base_url of this connection, or the resolver of this machine")
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var refused error
	for _, ip := range found {
		if refused = kinds.Allowed(ip, c.Private); refused == nil {
			refused = knock(ctx, ip, port)
		}
		if refused == nil {
			s.well(name, "")
			return
		}
	}
	var address *kinds.AddressError
	if errors.As(refused, &address) {
		s.problem(name, refused.Error(), "let the name lead to a public address; or, if it is meant to be inside, set private: true (link-local and metadata addresses are never allowed)")
		return
	}
	s.problem(name, "nobody answers at its address: "+reason(refused), "start the service, or correct base_url of this connection")
}

func knock(ctx context.Context, ip netip.Addr, port string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// reason says in a few words why nobody could be reached. Errors of the
// network repeat addresses, which may be secrets of it.
func reason(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return "the host's name is unknown here"
	case errors.As(err, &certificate):
		return "its certificate is not trusted here"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "the connection fails"
}
