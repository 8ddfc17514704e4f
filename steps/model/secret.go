package model

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Secret reads what a config refers to: "env:NAME" is an environment variable,
// "file:PATH" a file without its last line break. A secret written into the
// config itself is refused, and no error repeats it.
func Secret(ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		value, set := os.LookupEnv(name)
		if !set || value == "" {
			return "", fmt.Errorf("environment variable %s is not set", name)
		}
		return clean(value)
	}
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return clean(strings.TrimRight(string(raw), "\r\n"))
	}
	return "", errors.New(`a secret is named as "env:NAME" or "file:PATH", never written here`)
}

// clean refuses what no header can carry.
func clean(secret string) (string, error) {
	if secret == "" {
		return "", errors.New("the secret is empty")
	}
	for i := range len(secret) {
		if secret[i] < 0x20 || secret[i] == 0x7f {
			return "", errors.New("the secret holds a control character or a line break")
		}
	}
	return secret, nil
}
