package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.uber.org/zap"

	"tolem/config"
	"tolem/store"
)

// prepareDemo fills an empty database with the configured demo data in
// development, and refuses a database that ever was filled so in production.
func prepareDemo(ctx context.Context, cfg *config.Config, s *store.Store, log *zap.Logger) error {
	seeded, err := s.DemoSeeded(ctx)
	if err != nil {
		return fmt.Errorf("look for demo data: %w", err)
	}
	if cfg.Environment == config.Production && seeded {
		return fmt.Errorf("the database %s was once filled with demo data, whose accounts and payments are not real: production needs a new one, change database.dsn", cfg.Database.DSN)
	}
	if cfg.Environment == config.Production || seeded || cfg.Demo == (config.Demo{}) {
		return nil
	}
	if err := seedDemo(ctx, cfg, s, log); err != nil {
		return fmt.Errorf("fill the database with demo data: %w; correct demo.accounts and demo.payments in the configuration, or remove them", err)
	}
	return nil
}

func seedDemo(ctx context.Context, cfg *config.Config, s *store.Store, log *zap.Logger) (err error) {
	accounts, err := openDemo(cfg.Demo.Accounts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, accounts.Close()) }()
	payments, err := openDemo(cfg.Demo.Payments)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, payments.Close()) }()
	seeded, err := s.SeedDemo(ctx, accounts, payments, cfg.JetPay.PaymentExpiry)
	if seeded {
		log.Info("the empty database was filled with demo data; production will refuse it", zap.String("database", cfg.Database.DSN))
	}
	return err
}

// openDemo opens a file of demo data; without a name it is an empty one.
func openDemo(name string) (io.ReadCloser, error) {
	if name == "" {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return os.Open(name)
}
