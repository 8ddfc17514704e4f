package custody

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
)

// Keys are what a key directory holds, read once. They never change and are
// safe for concurrent use.
//
// The directory has mode 0700 and two folders: mandate/<kid>.key (PEM, PKCS #8)
// with mandate/<kid>.pub (PEM, PKIX), both Ed25519, and kek/<kid>.key (32 bytes
// in base64). The key whose id sorts last is the active one; the others are kept
// for what they signed or sealed. A .pub without its .key only verifies.
type Keys struct {
	Mandate *security.Keys
	Vault   *vault.Keyring
}

// The kinds of key, as folders and as the database names them.
const (
	mandateKeys = "mandate"
	vaultKeys   = "kek"
)

const (
	kekBytes   = 32
	maxKeyFile = 16 << 10
)

// ErrNoKeys is returned for a key directory that is empty or not there.
var ErrNoKeys = errors.New("the key directory holds no keys")

// A MissingKeyError names keys that the database's content depends on and that
// this process does not have.
type MissingKeyError struct {
	Dir  string
	Keys []string // files below Dir, without their endings
}

// Error says what is missing and what to do.
func (e *MissingKeyError) Error() string {
	return fmt.Sprintf("key directory %s lacks %s, which this database uses: copy the key directory of a machine that has it",
		e.Dir, strings.Join(e.Keys, ", "))
}

// ReadKeys reads a key directory. It fails with ErrNoKeys when there is nothing
// in it, and refuses files that others may read.
func ReadKeys(dir string) (*Keys, error) {
	empty, err := isEmpty(dir)
	if err != nil {
		return nil, fmt.Errorf("key directory: %w", err)
	}
	if empty {
		return nil, fmt.Errorf("%w: %s: run `custody migrate up` for a new installation, or copy the directory of a machine that has it", ErrNoKeys, dir)
	}
	for _, d := range []string{dir, filepath.Join(dir, mandateKeys), filepath.Join(dir, vaultKeys)} {
		if err := private(d, 0o700); err != nil {
			return nil, err
		}
	}
	mandate, err := readMandateKeys(filepath.Join(dir, mandateKeys))
	if err != nil {
		return nil, err
	}
	ring, err := readVaultKeys(filepath.Join(dir, vaultKeys))
	if err != nil {
		return nil, err
	}
	return &Keys{Mandate: mandate, Vault: ring}, nil
}

// MakeKeys makes one key of each kind in a directory that is empty or not
// there. Several processes may call it at once: one makes the keys, the others
// leave them alone. It is all or nothing: a crash leaves a folder beside dir
// whose name begins with a dot, and no key in dir.
func MakeKeys(dir string) error {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".custody-keys-")
	if err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	defer os.RemoveAll(fresh) // nothing is left of it once it was renamed
	id := security.NewID().String()
	if err := writeMandateKey(fresh, "m-"+id); err != nil {
		return fmt.Errorf("make a mandate key: %w", err)
	}
	if err := writeVaultKey(fresh, "k-"+id); err != nil {
		return fmt.Errorf("make a key-encryption key: %w", err)
	}
	err = os.Rename(fresh, dir)
	if empty, look := isEmpty(dir); err != nil && look == nil && !empty {
		return nil // somebody was faster
	}
	if err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	return nil
}

// InstallKeys is what `migrate up` does about keys: it makes them when dir is
// empty and the database names none, and notes those in use in the database.
// Otherwise dir must hold every key that the database names.
//
// A crash after the keys were made and before they were noted is mended by the
// next call: the keys are there, and are noted then.
func InstallKeys(ctx context.Context, db *store.DB, dir string) (*Keys, error) {
	keys, err := ReadKeys(dir)
	if errors.Is(err, ErrNoKeys) {
		keys, err = firstKeys(ctx, db, dir)
	}
	if err != nil {
		return nil, err
	}
	if err := keys.use(ctx, db, dir); err != nil {
		return nil, err
	}
	// Another machine may have made keys of its own in this very moment: then
	// both are named now, and each side learns here what it lacks.
	return keys, keys.covers(ctx, db, dir)
}

func firstKeys(ctx context.Context, db *store.DB, dir string) (*Keys, error) {
	named, err := db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the names of the keys in use: %w", err)
	}
	if len(named) > 0 {
		return nil, missing(dir, named)
	}
	if err := MakeKeys(dir); err != nil {
		return nil, err
	}
	return ReadKeys(dir)
}

// use checks that the directory has the keys that the database names, and then
// notes the active ones. Never the other way round: a process with foreign keys
// must leave no trace.
func (k *Keys) use(ctx context.Context, db *store.DB, dir string) error {
	if err := k.covers(ctx, db, dir); err != nil {
		return err
	}
	err := db.UseKeys(ctx, store.KeyUse{Kind: mandateKeys, ID: k.Mandate.Active()}, store.KeyUse{Kind: vaultKeys, ID: k.Vault.Active()})
	if err != nil {
		return fmt.Errorf("note the keys in use: %w", err)
	}
	return nil
}

// covers fails with a *MissingKeyError when the database names a key that is
// not here.
func (k *Keys) covers(ctx context.Context, db *store.DB, dir string) error {
	named, err := db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the names of the keys in use: %w", err)
	}
	return k.lacks(dir, named)
}

// lacks fails with a *MissingKeyError when one of the named keys is not here.
func (k *Keys) lacks(dir string, named []store.KeyUse) error {
	lacking := slices.DeleteFunc(slices.Clone(named), func(u store.KeyUse) bool {
		return u.Kind == mandateKeys && k.Mandate.Has(u.ID) || u.Kind == vaultKeys && k.Vault.Has(u.ID)
	})
	if len(lacking) > 0 {
		return missing(dir, lacking)
	}
	return nil
}

func missing(dir string, uses []store.KeyUse) error {
	e := &MissingKeyError{Dir: dir}
	for _, u := range uses {
		e.Keys = append(e.Keys, u.Kind+"/"+u.ID)
	}
	return e
}

func readMandateKeys(dir string) (*security.Keys, error) {
	public := map[string]ed25519.PublicKey{}
	files, err := keyFiles(dir, ".pub")
	if err != nil {
		return nil, err
	}
	for kid, raw := range files {
		if public[kid], err = publicKey(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, kid+".pub"), err)
		}
	}
	files, err = keyFiles(dir, ".key")
	if err != nil {
		return nil, err
	}
	kid := last(files)
	if kid == "" {
		return nil, fmt.Errorf("key directory: %s holds no .key file to sign with", dir)
	}
	sign, err := privateKey(files[kid])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, kid+".key"), err)
	}
	return security.NewKeys(kid, sign, public)
}

func readVaultKeys(dir string) (*vault.Keyring, error) {
	files, err := keyFiles(dir, ".key")
	if err != nil {
		return nil, err
	}
	keys := map[string][]byte{}
	for kid, raw := range files {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
		if err != nil || len(key) != kekBytes {
			return nil, fmt.Errorf("%s: must be %d bytes in base64", filepath.Join(dir, kid+".key"), kekBytes)
		}
		keys[kid] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("key directory: %s holds no .key file to seal with", dir)
	}
	return vault.NewKeyring(last(files), keys)
}

// last is the id that sorts last: ids begin with the time they were made.
func last(files map[string][]byte) string {
	var out string
	for kid := range files {
		out = max(out, kid)
	}
	return out
}

// keyFiles reads the files with one ending, by key id.
func keyFiles(dir, ending string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("key directory: %w", err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		kid, ok := strings.CutSuffix(e.Name(), ending)
		if !ok || kid == "" || strings.HasPrefix(kid, ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := private(path, 0o600); err != nil {
			return nil, err
		}
		if out[kid], err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("key directory: %w", err)
		}
	}
	return out, nil
}

// private refuses a file or folder that allows more than mode to anybody, and
// files that are too large to be a key.
func private(path string, mode os.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	if info.IsDir() != (mode&0o100 != 0) || !info.IsDir() && (!info.Mode().IsRegular() || info.Size() > maxKeyFile) {
		return fmt.Errorf("key directory: %s is not what belongs there", path)
	}
	if have := info.Mode().Perm(); have&^mode != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("key directory: %s has mode %04o, which lets others in: run `chmod %04o %s`", path, have, mode, path)
	}
	return nil
}

// strangers are the files in a key directory that are no keys, relative to it.
func strangers(dir string) []string {
	var out []string
	for _, folder := range []string{".", mandateKeys, vaultKeys} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			continue // ReadKeys said so
		}
		for _, e := range entries {
			ending := filepath.Ext(e.Name())
			known := folder == "." && e.IsDir() && slices.Contains([]string{mandateKeys, vaultKeys, "notary"}, e.Name()) ||
				folder != "." && !e.IsDir() && (ending == ".key" || ending == ".pub" && folder == mandateKeys)
			if !known || strings.HasPrefix(e.Name(), ".") {
				out = append(out, filepath.Join(folder, e.Name()))
			}
		}
	}
	return out
}

func isEmpty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}

var errKeyFile = errors.New("is not an Ed25519 key in PEM")

func privateKey(raw []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errKeyFile
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if sign, ok := key.(ed25519.PrivateKey); ok && err == nil {
		return sign, nil
	}
	return nil, errKeyFile
}

func publicKey(raw []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errKeyFile
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if pub, ok := key.(ed25519.PublicKey); ok && err == nil {
		return pub, nil
	}
	return nil, errKeyFile
}

func writeMandateKey(dir, kid string) error {
	pub, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(sign)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return err
	}
	if err := writeKey(dir, mandateKeys, kid+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})); err != nil {
		return err
	}
	return writeKey(dir, mandateKeys, kid+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

func writeVaultKey(dir, kid string) error {
	key := make([]byte, kekBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return writeKey(dir, vaultKeys, kid+".key", []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
}

// writeKey syncs: content sealed with a key that a power cut took would be lost.
func writeKey(dir, kind, name string, raw []byte) error {
	folder := filepath.Join(dir, kind)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}
