package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/policy"
)

const (
	maxBody  = 1 << 20          // bytes
	bodyTime = 30 * time.Second // for all of it

	maxBundle  = 64 << 20        // bytes of a bundle that is sent to be verified
	bundleTime = 2 * time.Minute // for all of it
	maxBundles = 2               // at a time in a process
)

// An exchange is one request on its way through the edge: its id, and whom its
// token speaks for. It is the one value that the edge keeps in a context,
// because chi and huma hand on nothing else; register takes it out and from
// there on the caller is an argument.
type exchange struct {
	http.ResponseWriter
	id     string
	path   string
	who    security.Principal
	status int // of the answer, 0 as long as there is none
	route  string
	run    security.ID // that the request is about
	trace  string      // traceparent of the answer; may be empty
}

type exchangeKey struct{}

// exchangeOf never returns nil.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// recovering is the outermost: what it does is observed. It turns a panic into
// a 500 that says nothing. Once the answer has begun the connection is cut
// instead.
func (a *API) recovering(next http.Handler) http.Handler {
	return a.observing(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r.Context())
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			// The value may hold content; the stack does not.
			a.cfg.Log.ErrorContext(r.Context(), "a request panicked", slog.String("request", x.id), slog.String("method", r.Method), slog.String("stack", string(debug.Stack())))
			if x.status != 0 {
				panic(http.ErrAbortHandler)
			}
			writeProblem(x, r, newProblem(http.StatusInternalServerError, "internal", "something went wrong; the log knows more under the request id"))
		}()
		next.ServeHTTP(x, r)
	}))
}

var (
	requestID   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	traceparent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
)

// identifying gives the request an id. One that the client chose is taken only
// in a form that can stand in the ledger and in a log.
func (a *API) identifying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r.Context())
		if x.id = r.Header.Get("Request-Id"); !requestID.MatchString(x.id) {
			x.id = security.NewID().Name("req")
		}
		w.Header().Set("Request-Id", x.id)
		if trace := cmp.Or(x.trace, r.Header.Get("Traceparent")); traceparent.MatchString(trace) {
			w.Header().Set("Traceparent", trace)
		}
		next.ServeHTTP(w, r)
	})
}

// securing sets what every answer carries. Operations replace Cache-Control.
func (a *API) securing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Vary", "Authorization, Accept")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// limiting reads the body, up to its limit, and refuses what no database can
// hold. After it nothing reads from the connection, so no deadline of reading
// can end an answer that is long by design.
func (a *API) limiting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !storable(r.URL) {
			writeProblem(w, r, newProblem(http.StatusBadRequest, "malformed", "the URL holds control characters or is not UTF-8"))
			return
		}
		if p := a.ambiguous(r.URL); p != nil {
			writeProblem(w, r, p)
			return
		}
		if keys, sent := r.Header["Idempotency-Key"]; sent && (len(keys) != 1 || keys[0] == "") {
			writeProblem(w, r, noKey())
			return
		}
		if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
			writeProblem(w, r, newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "an encoded body is not read: send it without Content-Encoding"))
			return
		}
		lowerMediaType(r.Header)
		limit, within := limitsOf(r)
		if r.ContentLength > limit {
			tooLarge(w, r)
			return
		}
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		if r.ContentLength < 0 || r.ContentLength > maxBody {
			if leave, ok := a.heavy(limit); ok {
				defer leave()
			} else {
				busy(w, r)
				return
			}
		}
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Now().Add(within)) // a server that cannot has its own limit
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		_ = rc.SetReadDeadline(time.Time{})
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			tooLarge(w, r)
		case err != nil:
			writeProblem(w, r, newProblem(http.StatusBadRequest, "malformed", "the body ended early or took too long"))
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		}
	})
}

// lowerMediaType writes the media type of the body as huma compares it. Its case
// means nothing (RFC 9110, section 8.3.1); that of its parameters may.
func lowerMediaType(h http.Header) {
	media, parameters, found := strings.Cut(h.Get("Content-Type"), ";")
	if media == "" {
		return
	}
	if media = strings.ToLower(media); found {
		media += ";" + parameters
	}
	h.Set("Content-Type", media)
}

// limitsOf are the largest body and the time for it. Only whoever may have a
// bundle verified may send one.
func limitsOf(r *http.Request) (bytes int64, within time.Duration) {
	who := exchangeOf(r.Context()).who
	if r.URL.Path == verifyPath && policy.Do(who, policy.AuditVerify, policy.Target{Tenant: who.Tenant}).Allowed() {
		return maxBundle, bundleTime
	}
	return maxBody, bodyTime
}

// heavy makes room for a body that may be larger than others. It is held in
// memory until it is answered, so there are few at a time, whoever sends them.
func (a *API) heavy(limit int64) (leave func(), ok bool) {
	if limit <= maxBody {
		return func() {}, true
	}
	select {
	case a.bundles <- struct{}{}:
		return func() { <-a.bundles }, true
	default:
		return nil, false
	}
}

// busy does not read the body: the connection is closed after the answer.
func busy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "10")
	writeProblem(w, r, newProblem(http.StatusServiceUnavailable, "unavailable", "other bundles are being verified: try again"))
}

// ambiguous refuses query parameters that are sent twice, and empty ones where
// empty means nothing: they would pass for absent, and dry_run= would do it.
func (a *API) ambiguous(u *url.URL) *Problem {
	p := newProblem(http.StatusBadRequest, "malformed", "the request is not what the API describes")
	for parameter, values := range u.Query() {
		fault := Fault{Pointer: "/query/" + parameter, Code: "repeated", Detail: "this parameter may be sent once"}
		if len(values) == 1 {
			fault.Code, fault.Detail = "empty", "this parameter needs a value"
		}
		if len(values) > 1 || values[0] == "" && a.strict[parameter] {
			if !name.MatchString(parameter) {
				fault.Pointer = "/query/*"
			}
			p.Errors = append(p.Errors, fault)
		}
	}
	if len(p.Errors) == 0 {
		return nil
	}
	slices.SortFunc(p.Errors, func(a, b Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
	return p
}

// noKey is for a key that is empty or sent twice: it would pass for none, and
// the request would not be safe to repeat.
func noKey() *Problem {
	p := newProblem(http.StatusBadRequest, "malformed", "the request is not what the API describes")
	p.Errors = []Fault{{Pointer: "/header/Idempotency-Key", Code: "pattern", Detail: "one key of 1 to 255 visible ASCII characters is needed"}}
	return p
}

// tooLarge does not read on: the connection is closed after the answer.
func tooLarge(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	writeProblem(w, r, newProblem(http.StatusRequestEntityTooLarge, "too-large", "a body may have 1 MiB, and a bundle to be verified 64 MiB"))
}

// storable reports whether the URL is text: PostgreSQL refuses NUL, and no
// name of ours has a control character.
func storable(u *url.URL) bool {
	query, err := url.QueryUnescape(u.RawQuery)
	if err != nil {
		return false
	}
	return utf8.ValidString(u.Path) && utf8.ValidString(query) && !strings.ContainsFunc(u.Path, isControl) && !strings.ContainsFunc(query, isControl)
}

// isControl reports whether a character is one of ASCII's control characters.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }
