package audit_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/custodyhq/custody/security/audit"
)

func ExampleAppendLeaf() {
	fact := audit.Fact{Action: audit.CtlOpened, Outcome: "ok"}
	body := fact.AppendBody(nil, 1)
	hash, _ := audit.AppendLeaf(nil, "localhost/dev", "ctl-1", 0, audit.Hash{}, body)
	fmt.Println(string(body))
	fmt.Println(hash)
	// Output:
	// {"action":"ctl.opened","at_us":1,"attempt":0,"call":"","key":"","outcome":"ok","run":"","step":"","v":1}
	// 66fc7da196a01b2ae0fd7d443ac4b0b4084ecac9a53a0310775c7b743d7f6dc0
}

func ExampleVerifier() {
	fact := audit.Fact{Action: audit.CtlOpened, Outcome: "ok"}
	body := fact.AppendBody(nil, 1)
	hash, _ := audit.AppendLeaf(nil, "localhost/dev", "ctl-1", 0, audit.Hash{}, body)
	entry := audit.Entry{Log: "localhost/dev", Stream: "ctl-1", Hash: hash, Body: string(body)}

	good, bad := audit.NewVerifier(), audit.NewVerifier()
	good.Entry(entry, nil)
	entry.Body = `{"action":"ctl.closed"}`
	bad.Entry(entry, nil)
	fmt.Println(good.Report().Verdict)
	fmt.Println(bad.Report().Verdict, bad.Report().Findings[0])
	// Output:
	// intact
	// broken entry.altered ctl-1 #0: its hash is not that of its content at this place
}

func ExampleVerifyBundle() {
	fact := audit.Fact{Action: audit.CtlOpened, Outcome: "ok"}
	body := fact.AppendBody(nil, 1)
	hash, _ := audit.AppendLeaf(nil, "localhost/dev", "ctl-1", 0, audit.Hash{}, body)

	var file bytes.Buffer
	w := audit.NewBundleWriter(&file, "localhost/dev", audit.Scope{All: true}, time.UnixMicro(2))
	_ = w.Entry(audit.Entry{Log: "localhost/dev", Stream: "ctl-1", Hash: hash, Body: string(body)})
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	report, err := audit.VerifyBundle(bytes.NewReader(file.Bytes()), int64(file.Len()))
	fmt.Println(report.Verdict, report.Tier, report.Entries, err)
	// Output:
	// intact T0 1 <nil>
}
