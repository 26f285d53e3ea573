package store

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

// pgServer is a PostgreSQL server, and how it is reached.
type pgServer struct {
	config *pgx.ConnConfig
	// transactionPooled says that a pooler in transaction mode is in between:
	// each transaction may run in another session. So settings are made for one
	// transaction, never for a session, and locks that belong to a session are
	// replaced by those of a transaction that stays open.
	transactionPooled bool
}

// The settings below are made by SET after the connection is there, not sent
// with its start: PgBouncer refuses a session whose start names a setting that
// it does not know.

// pgEverywhere are the settings of every connection: what a role or a database
// may have changed and tolem, pgx or goose rely on when they read what the
// server says, or send it values.
var pgEverywhere = map[string]string{
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

// pgWriting are the settings of the connections that write, beside those.
var pgWriting = map[string]string{
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

// pgReading are the settings of the connections that read, beside those.
var pgReading = map[string]string{
	"default_transaction_read_only": "on",
	"jit":                           "off",
}

// pgKeepalives let a server notice within a minute that the machine of a client
// is gone, and free what that held: its locks, that of the sweeps among them.
// The URL may say otherwise.
var pgKeepalives = map[string]string{
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

// session is the configuration of connections whose sessions have pgEverywhere
// and more settings. Behind a pooler in transaction mode the session is not
// ours to set: other clients have it next.
func (p *pgServer) session(more map[string]string) *pgx.ConnConfig {
	config := p.config.Copy()
	if p.transactionPooled {
		config.AfterConnect = refuseStandby
		return config
	}
	keepalives := maps.Clone(pgKeepalives)
	maps.DeleteFunc(keepalives, func(name, _ string) bool { return config.RuntimeParams[name] != "" })
	set := setSQL(false, keepalives, pgEverywhere, more)
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

// transactionSettings is the statement that makes settings for the running
// transaction where the session does not have them, "" where it has.
func (p *pgServer) transactionSettings(more map[string]string) string {
	if !p.transactionPooled {
		return ""
	}
	return setSQL(true, pgEverywhere, more)
}

// begin begins a transaction that has pgEverywhere and more settings, in read
// committed, however long it is idle.
func (p *pgServer) begin(ctx context.Context, conn *pgx.Conn, more map[string]string) error {
	statement := "BEGIN"
	if set := p.transactionSettings(more); set != "" {
		statement += "; " + set
	}
	_, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	return err
}

// unlimitedSQL lifts what ends a transaction that is idle or waits, for the
// running one. Older servers do not have all of these settings.
const unlimitedSQL = `SELECT set_config(name, '0', true) FROM pg_settings
	WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout', 'lock_timeout', 'statement_timeout')`

// assertDurable is assertPostgres on a connection that is in no transaction.
func (p *pgServer) assertDurable(ctx context.Context, conn *pgx.Conn) error {
	if err := p.begin(ctx, conn, pgWriting); err != nil {
		return err
	}
	if err := assertPostgres(ctx, conn); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "ROLLBACK")
	return err
}
