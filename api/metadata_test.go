package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// RFC 9728, section 2: what a client needs to find its way, under the address
// that it asked (section 3.3), and nothing that is not so.
func TestTheMetadataLeadAClientToTheProvider(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send("", "GET", "/.well-known/oauth-protected-resource", "")
	if got.StatusCode != http.StatusOK || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
		t.Fatalf("%d, %s", got.StatusCode, got.Header.Get("Content-Type"))
	}
	var doc map[string]any
	got.decode(t, &doc)
	text, err := json.Marshal(doc)
	must(t, err)
	want, err := json.Marshal(map[string]any{
		"resource": b.url, "authorization_servers": []string{b.idp.Issuer()}, "bearer_methods_supported": []string{"header"},
		"resource_name": "Custody", "resource_documentation": b.url + "/docs",
	})
	must(t, err)
	if string(text) != string(want) {
		t.Errorf("got %s\nwant %s", text, want)
	}
}
