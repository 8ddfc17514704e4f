package custody

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// renewal is how long before its end a certificate is worth a word.
const renewal = 14 * 24 * time.Hour

func (e *examination) certificate(ctx context.Context, s *sheet) {
	cfg := e.cfg
	if cfg.TLSCert == "" || cfg.TLSKey == "" {
		return // the settings said what that means
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		s.problem("certificate", "certificate and key cannot be used: "+err.Error(),
			EnvTLSCert+" must name a file in PEM with the certificate first and its intermediates after it, "+EnvTLSKey+" the file with its key; the account of the process must be able to read both")
		return
	}
	if others(cfg.TLSKey, 0o007) {
		s.problem("key file", cfg.TLSKey+" can be read by everybody on this machine", "run `chmod o= "+cfg.TLSKey+"`")
	}
	leaf := pair.Leaf
	s.dates(leaf, e.in.now())
	e.hostName(s, leaf)
	strength(s, leaf)
	e.chain(s, &pair)
	s.tell("TLS 1.3", handshake(ctx, pair), "use an ECDSA P-256, Ed25519 or RSA key of at least 2048 bits")
}

func (s *sheet) dates(leaf *x509.Certificate, now time.Time) {
	until := leaf.NotAfter.UTC().Format(time.RFC3339)
	const remedy = "renew it and replace both files: the process rereads them by itself"
	switch {
	case now.Before(leaf.NotBefore):
		s.problem("certificate", "it is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339), "check this machine's clock, or use another certificate")
	case now.After(leaf.NotAfter):
		s.problem("certificate", "it ended at "+until, remedy)
	case now.Add(renewal).After(leaf.NotAfter):
		s.hint("certificate", "it ends soon: at "+until, remedy)
	default:
		s.well("certificate", "valid until "+until)
	}
}

// hostName asks for the name that clients use, if it is known.
func (e *examination) hostName(s *sheet, leaf *x509.Certificate) {
	name := ""
	if u, err := url.Parse(e.cfg.URL); err == nil {
		name = u.Hostname()
	}
	if name == "" {
		host, _, _ := net.SplitHostPort(orListen(e.cfg.Listen))
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			return // the settings ask for CUSTODY_URL
		}
		name = host
	}
	if err := leaf.VerifyHostname(name); err != nil {
		s.problem("host name", "the certificate is not for "+name+", which clients use", "get one with that name as subject alternative name, or set "+EnvURL+" to the right address")
		return
	}
	s.well("host name", name)
}

func strength(s *sheet, leaf *x509.Certificate) {
	if key, ok := leaf.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		s.problem("certificate key", fmt.Sprintf("RSA with %d bits is too weak", key.N.BitLen()), "use ECDSA P-256, or RSA with at least 2048 bits")
	}
	switch leaf.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		s.problem("certificate key", "clients cannot use a key of this kind", "use ECDSA P-256")
	}
}

// chain verifies as a client of this machine would.
func (e *examination) chain(s *sheet, pair *tls.Certificate) {
	between := x509.NewCertPool()
	for _, raw := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			s.problem("chain", "one of the intermediates cannot be read", "put the certificates of your authority behind the own one in "+EnvTLSCert)
			return
		}
		between.AddCert(c)
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: e.in.now()})
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown) && len(pair.Certificate) == 1 && pair.Leaf.Issuer.String() != pair.Leaf.Subject.String():
		s.hint("chain", "no authority that this machine knows leads to the certificate, and no intermediate is in the file", "put your authority's intermediates behind the certificate in "+EnvTLSCert+"; with an authority of your own, give its certificate to clients (SSL_CERT_FILE)")
	case errors.As(err, &unknown):
		s.hint("chain", "this machine knows no authority for the certificate", "give the authority's certificate to every client, for example by SSL_CERT_FILE")
	case err == nil:
		s.well("chain", "")
	}
}

// handshake is one with ourselves, in memory.
func handshake(ctx context.Context, pair tls.Certificate) error {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	server := tls.Server(near, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}})
	// Who we are talking to is known; dates and names were looked at before.
	peer := tls.Client(far, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}) // with ourselves
	failed := make(chan error, 1)
	go func() { failed <- server.HandshakeContext(ctx) }()
	err := peer.HandshakeContext(ctx)
	if err == nil {
		err = <-failed
	}
	if err != nil {
		return errors.New("no connection with TLS 1.3 comes about with this certificate")
	}
	return nil
}
