package audit

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/custodyhq/custody/security"
)

// A Bundle is evidence that somebody takes away: entries, as the scope asks the
// content behind them, and the definitions that ran. WriteBundle writes it as a
// zip (API.md section 6.5).
type Bundle struct {
	Origin    string // the ledger's name
	Scope     Scope
	MadeAt    time.Time
	Entries   []Entry // stream by stream, each in the order of seq
	Payloads  []DisclosedPayload
	Workflows map[string]string // source by digest, sha256:…
}

// A Scope says what a bundle was asked to hold.
type Scope struct {
	Run      string `json:"run,omitempty"`     // run_…
	Subject  string `json:"subject,omitempty"` // subj_…
	From     string `json:"from,omitempty"`    // RFC 3339
	To       string `json:"to,omitempty"`
	All      bool   `json:"all,omitempty"`
	Payloads bool   `json:"payloads,omitempty"` // content is in it
}

// A Manifest says what a bundle holds.
type Manifest struct {
	V       int    `json:"v"`
	Origin  string `json:"origin"`
	Scope   Scope  `json:"scope"`
	Entries int64  `json:"entries"`
	MadeAt  string `json:"made_at"` // RFC 3339, UTC, microseconds
}

// A DisclosedPayload is content with the salt of its commitment.
type DisclosedPayload struct {
	ID      string // pay_…
	Commit  Hash
	Salt    []byte
	Content []byte
}

// payloadJSON is a payload's file. Content that is not UTF-8 is in base64, and
// Encoding says so.
type payloadJSON struct {
	Commitment Hash   `json:"commitment"`
	Salt       string `json:"salt"` // hex
	Content    string `json:"content"`
	Encoding   string `json:"encoding,omitempty"`
}

// ErrOrder is returned for a part that comes too late: entries come first, then
// payloads and workflows in any order.
var ErrOrder = errors.New("a bundle's entries come before everything else")

// WriteBundle writes a bundle.
func WriteBundle(w io.Writer, b Bundle) error {
	bw := NewBundleWriter(w, b.Origin, b.Scope, b.MadeAt)
	for _, e := range b.Entries {
		if err := bw.Entry(e); err != nil {
			return err
		}
	}
	for _, p := range b.Payloads {
		if err := bw.Payload(p); err != nil {
			return err
		}
	}
	for _, digest := range slices.Sorted(maps.Keys(b.Workflows)) {
		if err := bw.Workflow(digest, b.Workflows[digest]); err != nil {
			return err
		}
	}
	return bw.Close()
}

// A BundleWriter writes a bundle part by part and holds none of it: Entry for
// every entry, then Payload and Workflow, then Close. The first error is final.
// Without Close the bundle cannot be read, so a broken-off download never
// passes for a whole one. It is not safe for concurrent use.
type BundleWriter struct {
	seal    *sealer
	zip     *zip.Writer
	lines   io.Writer // entries.jsonl, until something else begins
	made    Manifest
	at      time.Time
	summary summary
	written map[string]struct{} // files, each of which may come once
	buf     []byte
	err     error
}

// NewBundleWriter begins a bundle.
func NewBundleWriter(w io.Writer, origin string, scope Scope, madeAt time.Time) *BundleWriter {
	at := madeAt.UTC().Truncate(time.Microsecond)
	b := &BundleWriter{
		seal: newSealer(w), at: at, written: make(map[string]struct{}),
		made: Manifest{V: 1, Origin: origin, Scope: scope, MadeAt: at.Format("2006-01-02T15:04:05.000000Z")},
	}
	b.zip = zip.NewWriter(b.seal)
	b.lines, b.err = b.create(entriesFile)
	return b
}

// Entry writes the next entry, as it is: whether it holds is for the verifier
// to say.
func (b *BundleWriter) Entry(e Entry) error {
	if b.err != nil {
		return b.err
	}
	if b.lines == nil {
		return b.fail(ErrOrder)
	}
	b.buf = append(appendEntry(b.buf[:0], &e), '\n')
	if _, err := b.lines.Write(b.buf); err != nil {
		return b.fail(err)
	}
	b.made.Entries++
	b.summary.note(e)
	return nil
}

// Payload writes one payload's content. Each may come once.
func (b *BundleWriter) Payload(p DisclosedPayload) error {
	if _, err := security.ParseID("pay", p.ID); err != nil {
		return b.fail(fmt.Errorf("payload of a bundle: %w", err))
	}
	text, err := json.Marshal(p.file())
	if err != nil {
		return b.fail(err)
	}
	return b.file(payloadsDir+p.ID+".json", text)
}

// Workflow writes the source of the definition with this digest. Each may come
// once.
func (b *BundleWriter) Workflow(digest, source string) error {
	name, ok := strings.CutPrefix(digest, "sha256:")
	if _, err := ParseHash(name); err != nil || !ok {
		return b.fail(fmt.Errorf("workflow of a bundle: %w", ErrHash))
	}
	return b.file(workflowsDir+name+".yaml", []byte(source))
}

// Close writes the manifest, the page for people and the seal.
func (b *BundleWriter) Close() error {
	manifest, err := json.MarshalIndent(b.made, "", "  ")
	if err != nil {
		return b.fail(err)
	}
	page, err := b.summary.page(b.made)
	if err != nil {
		return b.fail(err)
	}
	_ = b.file(manifestFile, append(manifest, '\n'))
	_ = b.file(pageFile, page)
	_ = b.file(verifyFile, []byte(howToVerify)) // each keeps the first error
	if b.err != nil {
		return b.err
	}
	if err := b.zip.SetComment(sealPlaceholder); err != nil {
		return b.fail(err)
	}
	if err := b.zip.Close(); err != nil {
		return b.fail(err)
	}
	if err := b.seal.close(); err != nil {
		return b.fail(err)
	}
	b.err = errors.New("the bundle is closed")
	return nil
}

func (b *BundleWriter) file(name string, content []byte) error {
	w, err := b.create(name)
	if err != nil {
		return err
	}
	if _, err = w.Write(content); err != nil {
		return b.fail(err)
	}
	return nil
}

func (b *BundleWriter) create(name string) (io.Writer, error) {
	if b.err != nil {
		return nil, b.err
	}
	if _, ok := b.written[name]; ok {
		return nil, b.fail(fmt.Errorf("%s is in the bundle already", name))
	}
	b.written[name] = struct{}{}
	b.lines = nil
	w, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.at})
	if err != nil {
		return nil, b.fail(err)
	}
	return w, nil
}

func (b *BundleWriter) fail(err error) error {
	if b.err == nil {
		b.err = fmt.Errorf("write bundle: %w", err)
	}
	return b.err
}

// file is the payload's file.
func (p DisclosedPayload) file() payloadJSON {
	f := payloadJSON{Commitment: p.Commit, Salt: fmt.Sprintf("%x", p.Salt), Content: string(p.Content)}
	if !utf8.Valid(p.Content) {
		f.Content, f.Encoding = base64Text(p.Content), "base64"
	}
	return f
}
