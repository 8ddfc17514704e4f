package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A filing service stands in for a document system: it keeps what is posted to
// it and answers with an id. The same Idempotency-Key files once.
type filing struct {
	dir  string // keeps documents as files; empty: in memory only
	url  string
	http *http.Server

	mu    sync.Mutex
	docs  []document
	byKey map[string]string
}

type document struct {
	id   string
	body json.RawMessage
}

// startFiling listens on a free port of loopback.
func startFiling(ctx context.Context, dir string) (*filing, error) {
	f := &filing{dir: dir, byKey: map[string]string{}}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the filing service: %w", err)
	}
	f.url = "http://" + l.Addr().String()
	f.http = &http.Server{Handler: f, ReadTimeout: 30 * time.Second}
	go func() { _ = f.http.Serve(l) }() // ends with stop
	return f, nil
}

func (f *filing) stop() { _ = f.http.Close() }

// filed is a copy of what was filed so far.
func (f *filing) filed() []document {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.docs)
}

// ServeHTTP files one document.
func (f *filing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if r.Method != http.MethodPost || err != nil || !json.Valid(body) {
		http.Error(w, "post a JSON document", http.StatusBadRequest)
		return
	}
	id, err := f.file(r.Header.Get("Idempotency-Key"), body)
	if err != nil {
		http.Error(w, "it could not be kept", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id}) // the client has gone; it will ask again
}

func (f *filing) file(key string, body []byte) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.byKey[key]; ok && key != "" {
		return id, nil
	}
	id, err := f.keep(body)
	if err != nil {
		return "", err
	}
	f.docs = append(f.docs, document{id, body})
	f.byKey[key] = id
	return id, nil
}

// keep finds the next free number. What an earlier process filed stays.
func (f *filing) keep(body []byte) (string, error) {
	for n := len(f.docs) + 1; ; n++ {
		id := fmt.Sprintf("doc-%d", n)
		if f.dir == "" {
			return id, nil
		}
		file, err := os.OpenFile(filepath.Join(f.dir, id+".json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = file.Write(body)
		return id, errors.Join(err, file.Close())
	}
}
