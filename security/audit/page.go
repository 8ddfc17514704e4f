package audit

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"time"
)

// howToVerify tells how to verify a bundle by hand, in any language.
//
//go:embed VERIFY.md
var howToVerify string

//go:embed report.html
var pageSource string

// shownEntries is how many entries the page lists.
const shownEntries = 1000

// A summary is what the page for people shows. It is collected while entries
// pass by and proves nothing.
type summary struct {
	Streams map[string]struct{}
	Rows    []pageRow
	Left    int64
}

// A pageRow is one entry on the page.
type pageRow struct {
	Stream, At, Action, Outcome, Step, Actor, Hash string
	Seq                                            int64
}

func (s *summary) note(e Entry) {
	if s.Streams == nil {
		s.Streams = make(map[string]struct{})
	}
	s.Streams[e.Stream] = struct{}{}
	if len(s.Rows) >= shownEntries {
		s.Left++
		return
	}
	row := pageRow{Stream: e.Stream, Seq: e.Seq, Hash: e.Hash.String(), Action: "(cannot be read)"}
	if b, err := ParseBody(e.Body); err == nil {
		row.At = time.UnixMicro(b.AtUS).UTC().Format("2006-01-02 15:04:05.000000")
		row.Action, row.Outcome, row.Step, row.Actor = string(b.Action), b.Outcome, b.Step, b.Actor
	}
	s.Rows = append(s.Rows, row)
}

// page makes report.html. Everything from entries is escaped, and the page
// loads and runs nothing.
func (s *summary) page(m Manifest) ([]byte, error) {
	t, err := template.New("report").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("page of a bundle: %w", err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, struct {
		Manifest
		*summary
	}{m, s})
	return out.Bytes(), err
}
