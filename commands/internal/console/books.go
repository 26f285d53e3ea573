package console

import (
	"context"
	"errors"
	"fmt"

	"tolem/adapters"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// StoreOptions name the configured database, a SQLite file or one of a
// PostgreSQL server. Where no bank account is configured, any may be named.
func StoreOptions(cfg *config.Config) store.Options {
	o := store.Options{Normalize: topup.Normalizer(cfg.Accounts.Normalize), ReadMessage: adapters.ReadStored, NotificationBody: view.NotificationBody}
	for _, bank := range cfg.Banks {
		o.Banks = append(o.Banks, bank.Name)
	}
	if cfg.Database.Driver == config.DriverPostgres {
		o.Postgres = cfg.Database.Postgres.Reveal()
		return o
	}
	o.Path = cfg.Database.DSN
	return o
}

// openStore opens the configured database while other processes may use it. A
// database that must exist is neither created nor migrated, so that a mistyped
// path does not become an empty database.
func openStore(ctx context.Context, cfg *config.Config, existing bool) (*store.Store, error) {
	o := StoreOptions(cfg)
	o.Existing = existing
	return store.Open(ctx, o)
}

// Books is an open database together with the configuration that names it.
type Books struct {
	*store.Store
	Config *config.Config
}

// WithBooks loads the configuration, opens the database, which must exist,
// works on it and closes it again. The checks, which need only the
// configuration, run before the database is opened.
func (p *Program) WithBooks(ctx context.Context, work func(Books) error, checks ...func(*config.Config) error) error {
	return p.onBooks(ctx, true, work, checks)
}

// WithNewBooks is [Program.WithBooks] for commands that may create the database.
func (p *Program) WithNewBooks(ctx context.Context, work func(Books) error) error {
	return p.onBooks(ctx, false, work, nil)
}

func (p *Program) onBooks(ctx context.Context, existing bool, work func(Books) error, checks []func(*config.Config) error) error {
	return p.OnBooksWith(ctx, config.DatabaseURL, existing, work, checks)
}

// OnBooksWith is [Program.WithBooks] for commands that need other secrets of the
// configuration too.
func (p *Program) OnBooksWith(ctx context.Context, needs config.Secrets, existing bool, work func(Books) error, checks []func(*config.Config) error) (err error) {
	cfg, err := p.Config(needs)
	if err != nil {
		return err
	}
	for _, check := range checks {
		if err := check(cfg); err != nil {
			return err
		}
	}
	s, err := openStore(ctx, cfg, existing)
	if err != nil {
		return fmt.Errorf("open the database %s: %w", cfg.Database.DSN, store.ExplainDamage(err))
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return store.ExplainDamage(work(Books{s, cfg}))
}

// AdminToken is the admin token with which the commands call a running server.
func AdminToken(cfg *config.Config) (string, error) {
	for _, token := range cfg.Admin.Tokens {
		if token.Role == config.RoleAdmin || token.Role == config.RoleRead {
			return token.Token.Reveal(), nil
		}
	}
	return "", errors.New("the configuration has no admin token with the role admin or read")
}
