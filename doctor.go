package custody

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/store"
)

// A Symptom is one thing that Diagnose looked at. Detail says what is wrong and
// Remedy what to do; if it is well Detail may say what is worth knowing.
type Symptom struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Diagnose looks at everything that a process with this Config needs and
// changes nothing. It sends no prompt: of a model's server it asks only for the
// list of models.
func Diagnose(ctx context.Context, cfg Config) []Symptom {
	d := &diagnosis{cfg: cfg}
	d.settings()
	d.database(ctx)
	d.provider(ctx)
	d.kinds(ctx)
	return d.found
}

type diagnosis struct {
	cfg   Config
	found []Symptom
}

func (d *diagnosis) note(name string, err error, remedy string) bool {
	s := Symptom{Name: name, OK: err == nil}
	if err != nil {
		s.Detail, s.Remedy = err.Error(), remedy
	}
	d.found = append(d.found, s)
	return err == nil
}

func (d *diagnosis) settings() {
	cfg := d.cfg
	d.note("settings", cfg.validate(), "set the variable, or write the field into the file that CUSTODY_CONFIG names")
	d.cfg.KeyDir = cfg.KeyDir
	if cfg.KeyDir == "" {
		d.cfg.KeyDir = defaultKeyDir
	}
	if cfg.Limits == (Limits{}) {
		d.found = append(d.found, Symptom{Name: "limits", OK: true, Detail: "none: one caller may ask as often as they like; set limits in the configuration file"})
	}
}

func (d *diagnosis) database(ctx context.Context) {
	if d.cfg.validateDatabase() != nil {
		return // the settings said so
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	state, err := migrations.Status(ctx, d.cfg.DatabaseURL)
	if !d.note("database", err, "check "+EnvDatabase+" and that PostgreSQL is running and lets this account in") {
		return
	}
	if !d.note("schema", schemaOf(state), "run `custody migrate up`, or the newer release") {
		return
	}
	db, err := store.Open(ctx, store.Config{URL: d.cfg.DatabaseURL, Origin: d.cfg.Origin}, nil)
	if !d.note("ledger", err, "set log.origin in the configuration file to the name that the ledger has") {
		return
	}
	defer db.Close()
	var unrestricted error
	if !db.Restricted() {
		unrestricted = errors.New("the process keeps all rights of its account: nothing in the database stops it from changing the record")
	}
	d.note("role", unrestricted, "let an account that may create roles run `custody migrate up`, and grant custody_app to the account of the process")
	keys, err := ReadKeys(d.cfg.KeyDir)
	if err == nil {
		err = keys.covers(ctx, db, d.cfg.KeyDir)
	}
	d.note("keys", err, "set "+EnvKeyDir+" to the directory with this installation's keys")
}

func schemaOf(s migrations.State) error {
	switch {
	case s.Newer:
		return migrations.ErrNewer
	case !s.Ready():
		return errors.New("the schema is not complete")
	}
	return nil
}

func (d *diagnosis) provider(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	v, err := oidc.New(ctx, oidc.Config{Issuers: d.cfg.Issuers})
	if err == nil {
		err = v.Ready(ctx)
	}
	d.note("provider", err, "check the issuer's URL: it must answer /.well-known/openid-configuration from here")
}

func (d *diagnosis) kinds(ctx context.Context) {
	models, err := model.New(model.Config{Models: d.cfg.Models})
	if !d.note("models", err, "mend models in the configuration file, and set the secrets that it names") {
		return
	}
	defer models.Close()
	for _, alias := range models.Aliases() {
		m := d.cfg.Models[alias]
		if m.Provider == model.OpenAI {
			d.note("model "+alias, reachable(ctx, m), "check base_url and api_key of this model")
		}
	}
	set, err := kinds.New(kinds.Config{Models: models, Judge: d.cfg.Judge, Connections: d.cfg.Connections, Funcs: d.cfg.Funcs})
	if d.note("connections", err, "mend connections and judge in the configuration file") {
		set.Close()
	}
	var missing error
	switch {
	case len(d.cfg.Models) == 0:
		missing = errors.New("no model is configured: llm steps cannot run")
	case d.cfg.Judge == "":
		missing = errors.New("no second model is configured: outputs are checked by rules only")
	}
	d.note("judge", missing, "add judge: {model: ALIAS} to the configuration file")
}

// reachable asks for the list of models, which costs nothing.
func reachable(ctx context.Context, m model.Model) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.BaseURL+"/models", nil)
	if err != nil {
		return errors.New("its base_url cannot be used")
	}
	if m.APIKey != "" {
		key, err := model.Secret(m.APIKey)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultTransport.RoundTrip(req) // no redirect: the key is for this server
	if err != nil {
		return errors.New("its server cannot be reached")
	}
	defer res.Body.Close()
	if slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, res.StatusCode) {
		return errors.New("its server refuses the key")
	}
	if res.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("its server answers %d", res.StatusCode)
	}
	return nil
}

// ExplainToken says how a process with these issuers reads a token, check by
// check. The report shows claims: it is for the token's holder.
func ExplainToken(ctx context.Context, issuers []oidc.Issuer, token string) (oidc.Report, error) {
	v, err := oidc.New(ctx, oidc.Config{Issuers: issuers})
	if err != nil {
		return oidc.Report{}, err
	}
	return v.Explain(ctx, token), nil
}
