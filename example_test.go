package custody_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/custodyhq/custody"
)

// Settings come from the environment, then from the file.
func ExampleLoad() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("custody-example-%d.yaml", os.Getpid()))
	defer os.Remove(path)
	text := "models: {fast: {provider: offline}}\njudge: {model: fast}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	env := map[string]string{custody.EnvListen: "127.0.0.1:9000"}
	cfg, err := custody.Load(func(name string) string { return env[name] }, path)
	fmt.Println(cfg.Listen, cfg.Judge, err)
	// Output: 127.0.0.1:9000 fast <nil>
}

// Keys belong to one installation, outside of its database.
func ExampleMakeKeys() {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("custody-example-keys-%d", os.Getpid()))
	defer os.RemoveAll(dir)
	if err := custody.MakeKeys(dir); err != nil {
		fmt.Println(err)
		return
	}
	keys, err := custody.ReadKeys(dir)
	fmt.Println(keys.Mandate.Has(keys.Mandate.Active()), keys.Vault.Has(keys.Vault.Active()), err)
	// Output: true true <nil>
}
