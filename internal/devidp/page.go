package devidp

import (
	"html/template"
	"net/http"
	"strings"
)

// A page is what the sign-in form shows. Nothing on it comes from a client
// but names that are registered here.
type page struct {
	Action, Request, Client, Code, ACR string
	People                             []Person
}

const frame = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Custody development sign-in</title>
<style>body{font:16px/1.5 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}button{font:inherit;width:100%;text-align:left;padding:.5rem 1rem;margin:.2rem 0}small{color:#555}</style>
</head><body><h1>Development sign-in</h1>
{{block "content" .}}{{end}}
</body></html>`

const signInContent = `{{define "content"}}<p>Who are you, for {{.Client}}? One click signs you in{{if eq .ACR "mfa"}} with a second factor{{else}} with a password alone{{end}}. There are no passwords here.</p>
{{if .Code}}<p>Your other screen must show <strong>{{.Code}}</strong>. If it does not, click Refuse.</p>{{end}}
<form method="post" action="{{.Action}}"><input type="hidden" name="request" value="{{.Request}}">
{{range .People}}<button name="person" value="{{.Name}}">{{.Name}} <small>{{range $i, $r := .Roles}}{{if $i}}, {{end}}{{$r}}{{else}}no role{{end}}</small></button>
{{end}}<button name="person" value="">Refuse</button></form>{{end}}`

const codeContent = `{{define "content"}}<form action="/device"><p><label>Code on your other screen <input name="user_code" autocomplete="off" autofocus></label></p><button>Continue</button></form>{{end}}`

const textContent = `{{define "content"}}<p>{{.}}</p>{{end}}`

func signInPage(w http.ResponseWriter, p page) {
	p.People = People()
	render(w, http.StatusOK, signInContent, p)
}

func codePage(w http.ResponseWriter) { render(w, http.StatusOK, codeContent, nil) }

func donePage(w http.ResponseWriter, text string) { render(w, http.StatusOK, textContent, text) }

func failPage(w http.ResponseWriter, text string) {
	render(w, http.StatusBadRequest, textContent, text)
}

func render(w http.ResponseWriter, status int, content string, data any) {
	var out strings.Builder
	if err := template.Must(template.Must(template.New("").Parse(frame)).Parse(content)).Execute(&out, data); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: browsers apply it to the redirect after the form as well.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(out.String())) // the browser has gone; there is nobody to tell
}
