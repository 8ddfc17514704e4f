package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
)

// Waiting answers in the place of an API that cannot be made yet, because the
// database has not been reached: /livez says that the process lives, /readyz
// that it is not ready, and everything else is a 503 that may be tried again.
func Waiting() http.Handler {
	a := &API{cfg: Config{Log: slog.New(slog.DiscardHandler), Observer: unobserved{}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeReadiness(w, http.StatusOK, Readiness{Status: "ok", Checks: []Check{}})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		writeReadiness(w, http.StatusServiceUnavailable, Readiness{
			Status: "unavailable", Checks: []Check{{Name: "database", Detail: "it has not been reached yet"}},
		})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, unavailable()) })
	return a.recovering(a.identifying(a.securing(mux)))
}

func writeReadiness(w http.ResponseWriter, status int, r Readiness) {
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // a Readiness is strings and booleans
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client has gone; there is nobody to tell
}
