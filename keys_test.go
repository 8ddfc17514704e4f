package custody

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/store/storetest"
)

func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, MakeKeys(dir))
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMadeKeysAreReadAndSign(t *testing.T) {
	t.Parallel()
	keys, err := ReadKeys(made(t))
	must(t, err)
	signed := keys.Mandate.Sign(security.ForVote, []byte("yes"))
	must(t, keys.Mandate.Verify(security.ForVote, signed))
	id := security.NewID()
	_, wrapped, err := keys.Vault.NewRunKey("main", id)
	must(t, err)
	if _, err := keys.Vault.Unwrap("main", id, wrapped); err != nil {
		t.Error(err)
	}
}

func TestMakeKeysLeavesKeysAlone(t *testing.T) {
	t.Parallel()
	dir := made(t)
	before, err := ReadKeys(dir)
	must(t, err)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := MakeKeys(dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	after, err := ReadKeys(dir)
	must(t, err)
	if before.Mandate.Active() != after.Mandate.Active() || before.Vault.Active() != after.Vault.Active() {
		t.Error("keys were replaced")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".custody-keys-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestAKeyDirectoryThatLetsOthersInIsRefused(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"directory": "", "folder": "mandate", "file": "kek/*.key", "public part": "mandate/*.pub"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := made(t)
			found, err := filepath.Glob(filepath.Join(dir, at))
			must(t, err)
			info, err := os.Stat(found[0])
			must(t, err)
			must(t, os.Chmod(found[0], info.Mode().Perm()|0o040))
			if _, err := ReadKeys(dir); err == nil || !strings.Contains(err.Error(), "chmod") {
				t.Errorf("got %v", err)
			}
			must(t, os.Chmod(found[0], info.Mode().Perm()&^0o200)) // stricter is fine
			if _, err := ReadKeys(dir); err != nil {
				t.Errorf("its harmless twin: %v", err)
			}
			must(t, os.Chmod(found[0], info.Mode().Perm()))
		})
	}
}

func TestFilesThatAreNoKeysAreRefusedWithoutRepeatingThem(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"mandate/*.key", "mandate/*.pub", "kek/*.key"} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			dir := made(t)
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			must(t, err)
			must(t, os.WriteFile(found[0], []byte("hunter2"), 0o600))
			_, err = ReadKeys(dir)
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), filepath.Base(found[0])) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheNewestKeyIsActiveAndOlderOnesStillVerify(t *testing.T) {
	t.Parallel()
	dir := made(t)
	old, err := ReadKeys(dir)
	must(t, err)
	signed := old.Mandate.Sign(security.ForMandate, []byte("m"))
	must(t, writeMandateKey(dir, "m-"+security.NewID().String()))
	keys, err := ReadKeys(dir)
	must(t, err)
	if keys.Mandate.Active() <= old.Mandate.Active() {
		t.Errorf("active is %s", keys.Mandate.Active())
	}
	must(t, keys.Mandate.Verify(security.ForMandate, signed))
}

func migrated(t *testing.T) (string, *store.DB) {
	t.Helper()
	url := storetest.URL(t)
	db, err := store.Open(t.Context(), store.Config{URL: url}, nil)
	must(t, err)
	t.Cleanup(db.Close)
	return url, db
}

func TestKeysAreMadeOnlyForAnEmptyDirectoryAndADatabaseThatNamesNone(t *testing.T) {
	t.Parallel()
	_, db := migrated(t)
	dir := filepath.Join(t.TempDir(), "keys")
	first, err := InstallKeys(t.Context(), db, dir)
	must(t, err)
	again, err := InstallKeys(t.Context(), db, dir)
	must(t, err)
	if first.Mandate.Active() != again.Mandate.Active() {
		t.Error("the second call made keys")
	}
	elsewhere := filepath.Join(t.TempDir(), "keys")
	_, err = InstallKeys(t.Context(), db, elsewhere)
	var lacking *MissingKeyError
	if !errors.As(err, &lacking) || len(lacking.Keys) != 2 || !strings.Contains(err.Error(), "mandate/"+first.Mandate.Active()) {
		t.Errorf("an empty directory on a second machine: %v", err)
	}
	if _, err := os.Stat(elsewhere); !errors.Is(err, os.ErrNotExist) {
		t.Error("keys were made there")
	}
}

func TestForeignKeysLeaveNoTraceInTheDatabase(t *testing.T) {
	t.Parallel()
	_, db := migrated(t)
	_, err := InstallKeys(t.Context(), db, filepath.Join(t.TempDir(), "keys"))
	must(t, err)
	before, err := db.Keys(t.Context())
	must(t, err)
	var lacking *MissingKeyError
	if _, err = InstallKeys(t.Context(), db, made(t)); !errors.As(err, &lacking) {
		t.Errorf("got %v", err)
	}
	after, err := db.Keys(t.Context())
	must(t, err)
	if len(after) != len(before) {
		t.Errorf("the database names %v", after)
	}
}

func TestMigrateMayBeCalledBySeveralProcessesAtOnce(t *testing.T) {
	t.Parallel()
	cfg := Config{DatabaseURL: storetest.Empty(t), KeyDir: filepath.Join(t.TempDir(), "keys")}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			state, err := Migrate(t.Context(), cfg)
			if err != nil || !state.Ready() {
				t.Errorf("%+v, %v", state, err)
			}
		})
	}
	group.Wait()
	state, err := Status(t.Context(), cfg)
	if err != nil || !state.Ready() || state == (migrations.State{}) {
		t.Errorf("%+v, %v", state, err)
	}
}
