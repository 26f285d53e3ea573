package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Any number of processes share one PostgreSQL database. No process keeps
// anything in its memory that decides about money: unique keys and row locks
// do. Every write takes its locks in one order: a key, the catalogue, the
// payments by their ids, and then what it inserts, table by table, each in the
// order of its keys.

const (
	// pgConnectTimeout bounds how long a new connection may take, unless the
	// URL says otherwise.
	connectTimeout = 5 * time.Second
	// minPostgres is the oldest server that works: it has xid8.
	minPostgres = 130000

	// Advisory locks of ours are pairs of numbers; the first says what for.
	LockSweeps    = 0x746f6c01 // one process sweeps
	LockMigration = 0x746f6c02 // one process migrates
	LockReference = 0x746f6c03 // a payment's id that we did not issue
	LockKey       = 0x746f6c04 // an idempotency key
	LockAccounts  = 0x746f6c05 // accounts; shared by who issues payments
)

var Postgres = Dialect{
	Name:        "postgres",
	BeginRead:   "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	Position:    "strpos",
	CountTables: `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1`,
	Created:     `SELECT CAST(extract(epoch FROM min(tstamp) AT TIME ZONE current_setting('TimeZone')) AS BIGINT) FROM goose_db_version`,
	ErrNoTables: errors.New("the database has no tables yet: correct database.dsn, or run tolem migrate"),
}

// parsePostgres reads the URL. Its errors do not repeat the URL: it holds a
// password.
func parsePostgres(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the PostgreSQL URL cannot be read: it must look like postgres://user:password@host:5432/database")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	dial(config)
	// Reads, too, need the primary: a standby's feed may have holes. It is asked
	// so that a session that is read-only by choice passes.
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "tolem"
	}
	return config, nil
}

// FindServer reads the URL, and finds out whether a pooler is in between.
func FindServer(ctx context.Context, address string) (*Server, *Dialect, error) {
	config, err := parsePostgres(address)
	if err != nil {
		return nil, nil, err
	}
	server := &Server{Config: config}
	if err := server.findPooler(ctx); err != nil {
		return nil, nil, fmt.Errorf("connect: %w", ExplainConnect(err))
	}
	d := Postgres
	if set := server.TransactionSettings(nil); set != "" {
		d.BeginRead += "; " + set
	}
	return server, &d, nil
}

// OpenPostgresPool opens a pool of at most n connections, and GORM on top of it.
func OpenPostgresPool(config *pgx.ConnConfig, n int) (*sql.DB, *gorm.DB, error) {
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	orm, err := gorm.Open(postgres.New(postgres.Config{Conn: StorablePool{pool}}), &gorm.Config{
		Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true,
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the database: %w", err), pool.Close())
	}
	return pool, orm, nil
}

// StorablePool lets GORM's statements take any text: PostgreSQL's cannot hold
// the character U+0000.
type StorablePool struct{ gorm.ConnPool }

// GetDBConn is what GORM asks for the pool behind it.
func (p StorablePool) GetDBConn() (*sql.DB, error) {
	pool, ok := p.ConnPool.(*sql.DB)
	if !ok {
		return nil, gorm.ErrInvalidDB
	}
	return pool, nil
}

func (p StorablePool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.ConnPool.ExecContext(ctx, query, StorableArgs(args)...)
}

func (p StorablePool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.ConnPool.QueryContext(ctx, query, StorableArgs(args)...)
}

func (p StorablePool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.ConnPool.QueryRowContext(ctx, query, StorableArgs(args)...)
}

func StorableArgs(args []any) []any {
	list := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			arg = Storable(v)
		case sql.NullString:
			v.String = Storable(v.String)
			arg = v
		}
		list[i] = arg
	}
	return list
}

// Storable is a text without U+0000 and bytes that are not UTF-8, which stand in
// no id: what has been checked is visible and valid.
func Storable(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// durableSettings are what a PostgreSQL server must be set to, and what to do
// about it.
var durableSettings = []struct {
	name   string
	wanted []string
	mend   string
}{
	{"fsync", []string{"on"}, "set it in postgresql.conf and restart the server"},
	{"full_page_writes", []string{"on"}, "set it in postgresql.conf and reload the server"},
	{"synchronous_commit", []string{"on", "remote_apply"}, "set it for the database: ALTER DATABASE … SET synchronous_commit = on"},
	{"transaction_isolation", []string{"read committed"}, "do not change it for this role or database"},
	{"transaction_read_only", []string{"off"}, "connect to the primary server, not to a replica"},
	{"session_replication_role", []string{"origin"}, "do not change it for this role or database"},
	{"server_encoding", []string{"UTF8"}, "create the database with ENCODING 'UTF8'"},
	{"client_encoding", []string{"UTF8"}, "do not change it for this role or database, or in the URL"},
	{"standard_conforming_strings", []string{"on"}, "do not change it for this role or database"},
	// tolem sets it: a pooler may have dropped that.
	{"client_min_messages", []string{"warning"}, "let the pooler pass SET on, or give the server's direct address"},
}

// AssertPostgres compares a connection's settings, inside a transaction of a
// write, with what durability and the writes' rules need.
func AssertPostgres(ctx context.Context, conn *pgx.Conn) error {
	var version int
	if err := conn.QueryRow(ctx, "SELECT CAST(current_setting('server_version_num') AS INTEGER)").Scan(&version); err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	if version < minPostgres {
		return fmt.Errorf("PostgreSQL %d is too old, it must be %d or newer", version/10000, minPostgres/10000)
	}
	for _, setting := range durableSettings {
		var got string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", setting.name).Scan(&got); err != nil {
			return fmt.Errorf("ask for %s: %w", setting.name, err)
		}
		ok := false
		for _, wanted := range setting.wanted {
			ok = ok || got == wanted
		}
		if !ok {
			return fmt.Errorf("%s of the PostgreSQL server is %q, must be %s: %s", setting.name, got, strings.Join(setting.wanted, " or "), setting.mend)
		}
	}
	return nil
}

// ExplainConnect says what to do about a connection that was refused, without
// repeating the URL.
func ExplainConnect(err error) error {
	refused := (*pgconn.PgError)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Code == "3D000":
		return fmt.Errorf("%s: create it, for example with createdb", refused.Message)
	case strings.HasPrefix(refused.Message, "unsupported startup parameter"): // PgBouncer's words
		return fmt.Errorf("%s: a pooler refuses what the URL sets; take it out of the URL, and set it for the role or database (ALTER ROLE … SET)", refused.Message)
	}
	return err
}

// CodeOf is PostgreSQL's code for an error, "" if it is none of its.
func CodeOf(err error) string {
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}
