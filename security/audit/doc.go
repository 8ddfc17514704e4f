// Package audit is the ledger's format and its verification. It is pure: it
// reads no database and no clock.
//
// A Fact is what happened. AppendBody writes it as one canonical JSON text (RFC
// 8785: sorted keys, strings and integers only), AppendLeaf gives it its place.
// An Entry is a fact with its place:
//
//	hash = SHA-256(0x00 || "custody-entry/v1\n" log "\n" stream "\n" seq "\n" prev "\n" body)
//
// with seq in decimal and prev, the hash of the entry before it in the stream,
// as 64 hex digits: 64 zeros for seq 0. The leading zero byte makes it the leaf
// hash of RFC 6962, section 2.1. Canonical JSON holds no line break, so header
// and body cannot be confused. What is stored is what is hashed; nothing is
// ever serialised again to be verified.
//
// For example, the entry
//
//	log    localhost/dev
//	stream ctl-1
//	seq    0
//	prev   0000000000000000000000000000000000000000000000000000000000000000
//	body   {"action":"ctl.opened","at_us":1,"attempt":0,"call":"","key":"","outcome":"ok","run":"","step":"","v":1}
//
// has the hash that ExampleAppendLeaf prints.
//
// A Verifier reads streams and says what does not hold, at the narrowest place
// that is known. A bundle is a zip that anybody can verify without us: VERIFY.md
// inside it says how.
package audit
