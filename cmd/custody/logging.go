package main

import (
	"errors"
	"io"
	"log/slog"
)

// The environment variables of the log.
const (
	envLog      = "CUSTODY_LOG"       // json, text
	envLogLevel = "CUSTODY_LOG_LEVEL" // debug, info, warn, error
)

// logTo is the log of a process: JSON for machines, key=value for people on a
// terminal, unless CUSTODY_LOG says which.
func logTo(w io.Writer, env func(string) string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	if text := env(envLogLevel); text != "" {
		var level slog.Level
		if level.UnmarshalText([]byte(text)) != nil {
			return nil, errors.New(envLogLevel + " must be debug, info, warn or error")
		}
		options.Level = level
	}
	form := env(envLog)
	if form == "" && columnsOf(w) > 0 {
		form = "text"
	}
	switch form {
	case "", "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, errors.New(envLog + " must be json or text")
}
