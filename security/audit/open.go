package audit

import (
	"archive/zip"
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
)

// The files of a bundle.
const (
	entriesFile  = "entries.jsonl"
	manifestFile = "manifest.json"
	pageFile     = "report.html"
	verifyFile   = "VERIFY.md"
	payloadsDir  = "payloads/"
	workflowsDir = "workflows/"
)

// What a bundle may hold, in bytes. An honest entry is half hashes, which do
// not compress: a file that grows a hundredfold is a bomb.
const (
	maxLine     = 1 << 20
	maxPayload  = 64 << 20
	maxSmall    = 4 << 20
	maxRatio    = 100
	freeOfRatio = 16 << 20
)

// VerifyBundle says whether a bundle holds. It needs no network, no database
// and no key. A file that is damaged, hostile or no bundle at all is a broken
// Report; the error is only ever one of reading r.
func VerifyBundle(r io.ReaderAt, size int64) (Report, error) {
	return VerifyBundleWithin(r, size, math.MaxInt64)
}

// ErrUnpacked is returned for a bundle that would be larger than its reader has
// room for.
var ErrUnpacked = errors.New("the bundle is too large when it is unpacked")

// VerifyBundleWithin is VerifyBundle for a bundle of a stranger. It fails with
// ErrUnpacked, before it unpacks anything, if that would give more bytes than
// limit. What a verification holds in memory is, at the worst, about as much.
func VerifyBundleWithin(r io.ReaderAt, size, limit int64) (Report, error) {
	src := &source{r: r}
	o := opened{v: NewVerifier()}
	if z, err := zip.NewReader(src, size); err != nil {
		o.damaged("it is not a zip that can be read")
	} else if o.zip = z; unpacked(z) > uint64(limit) {
		return Report{}, ErrUnpacked
	} else {
		o.verify(src, size)
	}
	if src.err != nil {
		return Report{}, fmt.Errorf("read bundle: %w", src.err)
	}
	return o.v.Report(), nil
}

// unpacked is how many bytes a zip says that it holds. Its reader gives no file
// more than was said.
func unpacked(z *zip.Reader) (n uint64) {
	for _, f := range z.File {
		if n += f.UncompressedSize64; n < f.UncompressedSize64 {
			return math.MaxUint64
		}
	}
	return n
}

// A source remembers the error of reading, which is not the bundle's fault.
type source struct {
	r   io.ReaderAt
	err error
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 { // a hostile zip points there
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) && s.err == nil {
		s.err = err
	}
	return n, err
}

// An opened bundle is on its way through the Verifier.
type opened struct {
	v        *Verifier
	zip      *zip.Reader
	files    map[string]*zip.File
	payloads []string // names, in the zip's order
	manifest Manifest
}

func (o *opened) damaged(detail string) {
	o.v.find(Finding{Kind: BundleAltered, Detail: detail})
}

func (o *opened) verify(src *source, size int64) {
	o.index()
	o.readManifest()
	o.v.mode = o.manifest.Scope.mode(len(o.payloads) > 0)
	o.readEntries()
	for _, name := range o.payloads {
		o.readPayload(name)
	}
	for name, f := range o.files { // the rest is only read to its checksum
		if limit := limitOf(name); limit > 0 && !slices.Contains([]string{entriesFile, manifestFile}, name) && !strings.HasPrefix(name, payloadsDir) {
			if _, err := read(f, limit); err != nil {
				o.damaged(name + " " + err.Error())
			}
		}
	}
	switch detail, err := sealed(src, size, o.zip); {
	case err != nil: // src keeps it
	case detail != "" && len(o.v.findings) == 0: // a finding says it better
		o.damaged(detail)
	}
}

// mode says what a bundle of this scope leaves out. A whole ledger leaves out
// nothing; any other holds whole runs but only some entries of control
// streams; one of a time may begin in the middle of a run.
func (s Scope) mode(payloads bool) mode {
	return mode{
		noPayloads: !s.Payloads && !payloads, disclosed: true,
		partial: !s.All && (s.From != "" || s.To != ""), sparse: !s.All,
	}
}

// index finds the files, and refuses names that do not belong in a bundle: a
// reader that unpacks it must not write anywhere else.
func (o *opened) index() {
	o.files = make(map[string]*zip.File, len(o.zip.File))
	for _, f := range o.zip.File {
		name := f.Name
		if name == payloadsDir || name == workflowsDir {
			continue
		}
		limit := limitOf(name)
		switch _, twice := o.files[name]; {
		case limit == 0:
			o.damaged(fmt.Sprintf("%.100q does not belong in a bundle", name))
			continue
		case twice:
			o.damaged(name + " is in it twice")
			continue
		case f.UncompressedSize64 > uint64(limit), bomb(f):
			o.damaged(name + " is too large")
			continue
		}
		o.files[name] = f
		if strings.HasPrefix(name, payloadsDir) {
			o.payloads = append(o.payloads, name)
		}
	}
}

func bomb(f *zip.File) bool {
	return f.UncompressedSize64 > freeOfRatio && f.UncompressedSize64/maxRatio > f.CompressedSize64
}

// limitOf is the size that a file of this name may have, 0 for a name that no
// bundle has.
func limitOf(name string) int64 {
	dir, base := path.Split(name)
	stem, ext := strings.TrimSuffix(base, path.Ext(base)), path.Ext(base)
	switch {
	case name == entriesFile:
		return 1 << 40
	case name == manifestFile, name == pageFile, name == verifyFile:
		return maxSmall
	case dir == payloadsDir && ext == ".json":
		if _, err := security.ParseID("pay", stem); err == nil {
			return maxPayload
		}
	case dir == workflowsDir && ext == ".yaml":
		if _, err := ParseHash(stem); err == nil {
			return maxSmall
		}
	}
	return 0
}

// read reads a file to its end and checks its checksum.
func read(f *zip.File, limit int64) ([]byte, error) {
	in, err := f.Open()
	if err != nil {
		return nil, errors.New("cannot be unpacked")
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil || int64(len(text)) > limit {
		return nil, errors.New("cannot be unpacked, or is larger than it says")
	}
	return text, nil
}

func (o *opened) readManifest() {
	f, ok := o.files[manifestFile]
	if !ok {
		o.damaged(manifestFile + " is not there")
		return
	}
	text, err := read(f, maxSmall)
	if err != nil {
		o.damaged(manifestFile + " " + err.Error())
		return
	}
	if strict(text, &o.manifest) != nil || o.manifest.V != 1 {
		o.manifest = Manifest{}
		o.damaged(manifestFile + " is not one of version 1")
	}
}

// strict reads one JSON object whose fields are all known.
func strict(text []byte, into any) error {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func (o *opened) readEntries() {
	f, ok := o.files[entriesFile]
	if !ok {
		o.damaged(entriesFile + " is not there")
		return
	}
	in, err := f.Open()
	if err != nil {
		o.damaged(entriesFile + " cannot be unpacked")
		return
	}
	defer in.Close()
	lines := bufio.NewScanner(in) // the zip reader stops at the size that was declared
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n, before := int64(0), o.v.faults()
	for lines.Scan() {
		n++
		o.readLine(n, lines.Bytes())
	}
	if lines.Err() != nil {
		o.damaged(fmt.Sprintf("%s cannot be read after line %d", entriesFile, n))
		return
	}
	if n != o.manifest.Entries && o.v.faults() == before {
		o.v.find(o.shortfall(n))
	}
}

func (o *opened) readLine(n int64, line []byte) {
	e, err := parseLine(line)
	if err != nil {
		o.v.find(Finding{Kind: EntryAltered, Detail: fmt.Sprintf("line %d of %s is not an entry", n, entriesFile)})
		return
	}
	o.v.Entry(e, nil)
	if o.manifest.V == 1 && e.Log != o.manifest.Origin {
		o.v.add(e, EntryAltered, "it is of another log than the manifest says")
	}
}

// shortfall names the place where entries are missing at a stream's end. It is
// known if only one stream is still open.
func (o *opened) shortfall(n int64) Finding {
	f := Finding{Kind: EntryMissing, Detail: fmt.Sprintf("the manifest counts %d entries, there are %d", o.manifest.Entries, n)}
	if n > o.manifest.Entries {
		f.Kind = BundleAltered
		return f
	}
	var open []string
	for name, s := range o.v.streams {
		if !s.closed && (isRun(name) || o.manifest.Scope.All) {
			open = append(open, name)
		}
	}
	if len(open) == 1 {
		next := o.v.streams[open[0]].next
		f.Stream, f.Seq = open[0], &next
	} else if n == 0 && o.manifest.Scope.Run != "" {
		f.Stream, f.Seq = o.manifest.Scope.Run, new(int64)
	}
	return f
}

// readPayload recomputes the commitment of one payload.
func (o *opened) readPayload(name string) {
	seen := SeenPayload{ID: strings.TrimSuffix(strings.TrimPrefix(name, payloadsDir), ".json"), Broken: true}
	text, err := read(o.files[name], maxPayload)
	var p payloadJSON
	if err == nil && strict(text, &p) == nil {
		seen.Commit, seen.Broken = p.recompute()
	}
	o.v.Payload(seen)
}

// recompute is HMAC-SHA256(salt, content); broken when the file does not hold
// even by itself.
func (p payloadJSON) recompute() (commit Hash, broken bool) {
	salt, err := hex.DecodeString(p.Salt)
	if err != nil || len(salt) == 0 {
		return Hash{}, true
	}
	content := []byte(p.Content)
	switch p.Encoding {
	case "":
	case "base64":
		if content, err = base64.StdEncoding.Strict().DecodeString(p.Content); err != nil {
			return Hash{}, true
		}
	default:
		return Hash{}, true
	}
	mac := hmac.New(sha256.New, salt)
	mac.Write(content)
	commit = Hash(mac.Sum(nil))
	return commit, commit != p.Commitment
}
