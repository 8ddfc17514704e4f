package keycloak

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// A realm is the server under test, with an administrator's view of it.
type realm struct {
	issuer string // …/realms/NAME
	admin  string // …/admin/realms/NAME
	token  string // of the administrator
	signed time.Time
	t      *testing.T
}

type object = map[string]any

// live is the server that the environment names. Without one the test is
// skipped.
func live(t *testing.T) *realm {
	t.Helper()
	issuer := strings.TrimSuffix(os.Getenv("CUSTODY_TEST_KEYCLOAK_URL"), "/")
	if issuer == "" {
		t.Skip("needs a Keycloak: set CUSTODY_TEST_KEYCLOAK_URL to the issuer URL of its test realm")
	}
	return &realm{issuer: issuer, admin: strings.Replace(issuer, "/realms/", "/admin/realms/", 1), t: t}
}

// at is the same realm for a test inside of the test.
func (k *realm) at(t *testing.T) *realm {
	t.Helper()
	return &realm{issuer: k.issuer, admin: k.admin, token: k.token, signed: k.signed, t: t}
}

func (k *realm) base() string {
	base, _, _ := strings.Cut(k.issuer, "/realms/")
	return base
}

func (k *realm) endpoint(name string) string { return k.issuer + "/protocol/openid-connect/" + name }

// signIn is the administrator's.
func (k *realm) signIn() {
	k.t.Helper()
	if time.Since(k.signed) < 30*time.Second { // it lives a minute
		return
	}
	k.signed = time.Now()
	password := cmp.Or(os.Getenv("CUSTODY_TEST_KEYCLOAK_ADMIN"), "admin")
	status, answer := post(k.t, http.DefaultClient, k.base()+"/realms/master/protocol/openid-connect/token", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {password},
	})
	if status != http.StatusOK {
		k.t.Fatalf("the administrator admin cannot sign in (status %d): set CUSTODY_TEST_KEYCLOAK_ADMIN to the password", status)
	}
	k.token, _ = answer["access_token"].(string)
}

// call asks the admin API and decodes the answer into out, unless that is nil.
func (k *realm) call(method, path string, body, out any) {
	k.t.Helper()
	k.signIn()
	text, err := json.Marshal(body)
	must(k.t, err)
	req, err := http.NewRequest(method, k.admin+path, bytes.NewReader(text)) //nolint:noctx // the client has a limit
	must(k.t, err)
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	must(k.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(k.t, err)
	if res.StatusCode/100 != 2 {
		k.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	if out != nil {
		must(k.t, json.Unmarshal(raw, out))
	}
}

// client changes a client and puts it back when the test ends.
func (k *realm) client(id string, change func(c object)) {
	k.t.Helper()
	var found []object
	k.call(http.MethodGet, "/clients?clientId="+id, nil, &found)
	if len(found) != 1 {
		k.t.Fatalf("%d clients %s: is this the realm of the test?", len(found), id)
	}
	path := "/clients/" + found[0]["id"].(string)
	var before, after object
	k.call(http.MethodGet, path, nil, &before)
	k.call(http.MethodGet, path, nil, &after)
	change(after)
	// An attribute that is absent stays as it is: what we added is emptied.
	attributes := before["attributes"].(object)
	for name := range after["attributes"].(object) {
		if _, ok := attributes[name]; !ok {
			attributes[name] = ""
		}
	}
	k.call(http.MethodPut, path, after, nil)
	k.t.Cleanup(func() { k.call(http.MethodPut, path, before, nil) })
}

// user is the id of a user.
func (k *realm) user(name string) string {
	k.t.Helper()
	var found []struct{ ID string }
	k.call(http.MethodGet, "/users?exact=true&username="+name, nil, &found)
	if len(found) != 1 {
		k.t.Fatalf("%d users %s: is this the realm of the test?", len(found), name)
	}
	return found[0].ID
}

// person makes a user for one test.
func (k *realm) person(name string, roles ...string) {
	k.t.Helper()
	k.call(http.MethodPost, "/users", object{
		"username": name, "enabled": true, "email": name + "@custody.test", "emailVerified": true, "firstName": name, "lastName": "Test",
		"credentials": []object{{"type": "password", "value": name}},
	}, nil)
	id := k.user(name)
	k.t.Cleanup(func() { k.call(http.MethodDelete, "/users/"+id, nil, nil) })
	for _, r := range roles {
		k.role(http.MethodPost, id, r)
	}
}

// role gives (POST) or takes (DELETE) a role.
func (k *realm) role(method, user, role string) {
	k.t.Helper()
	var r object
	k.call(http.MethodGet, "/roles/"+role, nil, &r)
	k.call(method, "/users/"+user+"/role-mappings/realm", []object{r}, nil)
}

// post sends a form and reads the JSON of the answer, if it is some.
func post(t *testing.T, c *http.Client, to string, form url.Values) (int, object) {
	t.Helper()
	res, err := c.PostForm(to, form) //nolint:noctx // the client has a limit
	must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	var out object
	_ = json.Unmarshal(raw, &out)
	return res.StatusCode, out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is a member of an answer.
func (k *realm) text(answer object, name string) string {
	k.t.Helper()
	s, ok := answer[name].(string)
	if !ok {
		k.t.Fatalf("no %s in the answer: %s", name, fmt.Sprint(answer["error"], " ", answer["error_description"]))
	}
	return s
}
