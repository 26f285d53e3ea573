package database

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Server is a PostgreSQL server, and how it is reached.
type Server struct {
	Config *pgx.ConnConfig
	// TransactionPooled says that a pooler in transaction mode is in between:
	// each transaction may run in another session. So settings are made for one
	// transaction, never for a session, and locks that belong to a session are
	// replaced by those of a transaction that stays open.
	TransactionPooled bool
}

// The settings below are made by SET after the connection is there, not sent
// with its start: PgBouncer refuses a session whose start names a setting that
// it does not know.

// everywhereSettings are the settings of every connection: what a role or a database
// may have changed and tolem, pgx or goose rely on when they read what the
// server says, or send it values.
var everywhereSettings = map[string]string{
	// The warning about a standby that was not waited for must arrive.
	"client_min_messages": "warning",
	// How values are printed, where they are sent as text.
	"bytea_output":       "hex",
	"DateStyle":          "ISO, MDY",
	"IntervalStyle":      "postgres",
	"extra_float_digits": "1",
	// NULL in an array that is sent as text is NULL, not a word.
	"array_nulls": "on",
	// How definitions are printed, which ledger check compares.
	"quote_all_identifiers": "off",
}

// WritingSettings are the settings of the connections that write, beside those.
var WritingSettings = map[string]string{
	// The hot statements have one good plan, by their indexes, whatever the
	// tables' statistics say. Planning them anew costs as much as running them.
	"plan_cache_mode":  "force_generic_plan",
	"enable_seqscan":   "off",
	"enable_hashjoin":  "off",
	"enable_mergejoin": "off",
	"jit":              "off",
	// A process that hangs, or is cut off, does not hold its locks for long.
	"idle_in_transaction_session_timeout": "30s",
	"lock_timeout":                        "10s",
}

// ReadingSettings are the settings of the connections that read, beside those.
var ReadingSettings = map[string]string{
	"default_transaction_read_only": "on",
	"jit":                           "off",
}

// keepaliveSettings let a server notice within a minute that the machine of a client
// is gone, and free what that held: its locks, that of the sweeps among them.
// The URL may say otherwise.
var keepaliveSettings = map[string]string{
	"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
}

// setSQL makes settings, for the running transaction or for the session. Names
// and values are ours and contain no quotes.
func setSQL(forTransaction bool, groups ...map[string]string) string {
	settings := make(map[string]string)
	for _, group := range groups {
		maps.Copy(settings, group)
	}
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, fmt.Sprintf("set_config('%s', '%s', %t)", name, settings[name], forTransaction))
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// Session is the configuration of connections whose sessions have everywhereSettings
// and more settings. Behind a pooler in transaction mode the session is not
// ours to set: other clients have it next.
func (p *Server) Session(more map[string]string) *pgx.ConnConfig {
	config := p.Config.Copy()
	if p.TransactionPooled {
		config.AfterConnect = refuseStandby
		return config
	}
	keepalives := maps.Clone(keepaliveSettings)
	maps.DeleteFunc(keepalives, func(name, _ string) bool { return config.RuntimeParams[name] != "" })
	set := setSQL(false, keepalives, everywhereSettings, more)
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if _, err := conn.Exec(ctx, set).ReadAll(); err != nil {
			return fmt.Errorf("set up the session: %w", err)
		}
		return refuseStandby(ctx, conn)
	}
	return config
}

// onStandbySQL asks in a way that a pooler takes for an ordinary read. Before
// PostgreSQL 14 there is no answer.
const onStandbySQL = `SELECT current_setting('in_hot_standby', true)`

var errOnStandby = errors.New("the database is behind a pooler that sends reads to a standby, which lags behind: " +
	"switch its load balancing off (pgpool-II: load_balance_mode = off), or give the primary's own address")

// refuseStandby refuses a session whose reads a pooler (pgpool-II) sends to a
// standby, though the connection was made to the primary: a standby lags behind,
// and its feed may have holes. pg_is_in_recovery, which is asked before, does
// not show that: its answer comes from the primary even then.
func refuseStandby(ctx context.Context, conn *pgconn.PgConn) error {
	results, err := conn.Exec(ctx, onStandbySQL).ReadAll()
	if err != nil {
		return fmt.Errorf("ask whether this is the primary: %w", err)
	}
	for _, result := range results {
		if len(result.Rows) == 1 && string(result.Rows[0][0]) == "on" {
			return errOnStandby
		}
	}
	return nil
}

// TransactionSettings is the statement that makes settings for the running
// transaction where the session does not have them, "" where it has.
func (p *Server) TransactionSettings(more map[string]string) string {
	if !p.TransactionPooled {
		return ""
	}
	return setSQL(true, everywhereSettings, more)
}

// Begin begins a transaction that has everywhereSettings and more settings, in read
// committed, however long it is idle.
func (p *Server) Begin(ctx context.Context, conn *pgx.Conn, more map[string]string) error {
	statement := "BEGIN"
	if set := p.TransactionSettings(more); set != "" {
		statement += "; " + set
	}
	_, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	return err
}

// UnlimitedSQL lifts what ends a transaction that is idle or waits, for the
// running one. Older servers do not have all of these settings.
const UnlimitedSQL = `SELECT set_config(name, '0', true) FROM pg_settings
	WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout', 'lock_timeout', 'statement_timeout')`

// AssertDurable is assertPostgres on a connection that is in no transaction.
func (p *Server) AssertDurable(ctx context.Context, conn *pgx.Conn) error {
	if err := p.Begin(ctx, conn, WritingSettings); err != nil {
		return err
	}
	if err := AssertPostgres(ctx, conn); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "ROLLBACK")
	return err
}
