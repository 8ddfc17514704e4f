package kinds

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/custodyhq/custody/steps/model"
)

// A Connection is a place where effects may go. Workflows name it; they never
// write an address.
type Connection struct {
	BaseURL string `yaml:"base_url" json:"base_url"`
	// Private allows loopback and private addresses. Link-local and metadata
	// addresses are never allowed.
	Private bool `yaml:"private" json:"private"`
	// Token is sent as a bearer token: env:NAME or file:PATH.
	Token string `yaml:"token" json:"token"`
	// Headers are sent as well; each value is env:NAME or file:PATH.
	Headers map[string]string `yaml:"headers" json:"headers"`
}

func (c Connection) validate() error {
	if err := model.CheckBaseURL(c.BaseURL); err != nil {
		return err
	}
	for name := range c.Headers {
		switch key := textproto.CanonicalMIMEHeaderKey(name); {
		case name == "" || strings.ContainsAny(name, " \t\r\n:"):
			return errors.New("headers: a name is not a header's name")
		case key == "Host", key == "Idempotency-Key", key == "Custody-Call", key == "Content-Length",
			key == "Content-Type", key == "Transfer-Encoding", key == "Connection", key == "Accept",
			key == "Authorization" && c.Token != "":
			return fmt.Errorf("headers.%s: this header is ours", name)
		}
	}
	return nil
}

// A target is a Connection, ready to use.
type target struct {
	base   *url.URL
	header http.Header // secrets: never logged
	pool   *http.Transport
}

func (c Connection) target(resolver *net.Resolver) (target, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return target{}, errors.New("base_url: not a URL")
	}
	t := target{base: base, header: http.Header{}, pool: newPool(c.Private, resolver)}
	if c.Token != "" {
		token, err := model.Secret(c.Token)
		if err != nil {
			return target{}, fmt.Errorf("token: %w", err)
		}
		t.header.Set("Authorization", "Bearer "+token)
	}
	for name, ref := range c.Headers {
		value, err := model.Secret(ref)
		if err != nil {
			return target{}, fmt.Errorf("headers.%s: %w", name, err)
		}
		t.header.Set(name, value)
	}
	return t, nil
}
