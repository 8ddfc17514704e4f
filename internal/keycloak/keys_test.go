package keycloak

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
)

// counting counts what a verifier fetches.
type counting struct {
	mu sync.Mutex
	n  int
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/certs") {
		c.mu.Lock()
		c.n++
		c.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (c *counting) keys() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// addKey gives the realm another key to sign with, and returns what takes it
// away again.
func (k *realm) addKey(priority string) (withdraw func()) {
	k.t.Helper()
	name := "test-" + rand.Text()
	var self struct{ ID string }
	k.call(http.MethodGet, "", nil, &self)
	k.call(http.MethodPost, "/components", object{
		"name": name, "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": self.ID,
		"config": object{"priority": []string{priority}, "enabled": []string{"true"}, "active": []string{"true"}, "algorithm": []string{"RS256"}, "keySize": []string{"2048"}},
	}, nil)
	var found []struct{ ID string }
	k.call(http.MethodGet, "/components?name="+name, nil, &found)
	if len(found) != 1 {
		k.t.Fatalf("%d components %s", len(found), name)
	}
	gone := false
	withdraw = func() {
		if !gone {
			gone = true
			k.call(http.MethodDelete, "/components/"+found[0].ID, nil, nil)
		}
	}
	k.t.Cleanup(withdraw)
	return withdraw
}
