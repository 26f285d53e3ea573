package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tolem/store/internal/database"
	"tolem/store/migrations"
)

// pgGuardsSQL lists what the promises rest on in the schema $1: columns, keys
// and conditions, unique indexes, triggers and their functions; each with its
// definition, and with the state in which it works.
const pgGuardsSQL = `
	SELECT 'column' AS kind, c.relname || '.' || a.attname AS name,
		format_type(a.atttypid, a.atttypmod) || coalesce(' ' || o.collname, '') || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS definition, '' AS state
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation o ON o.oid = a.attcollation
	WHERE c.relnamespace = $1 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
	SELECT 'constraint', k.conname, c.relname || ' ' || pg_get_constraintdef(k.oid),
		CASE WHEN NOT k.convalidated THEN 'not valid'
			WHEN EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled NOT IN ('O', 'A')) THEN 'switched off' ELSE '' END
	FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
	WHERE k.connamespace = $1 AND k.contype IN ('p', 'u', 'f', 'c')
UNION ALL
	SELECT 'index', x.relname, pg_get_indexdef(i.indexrelid), CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN '' ELSE 'not valid' END
	FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
	WHERE x.relnamespace = $1 AND i.indisunique
UNION ALL
	SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid),
		CASE t.tgenabled WHEN 'O' THEN '' WHEN 'A' THEN 'always on' ELSE 'switched off' END
	FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
	WHERE c.relnamespace = $1 AND NOT t.tgisinternal
UNION ALL
	SELECT 'function', p.proname, p.prosrc, ''
	FROM pg_proc p WHERE p.pronamespace = $1 AND p.prorettype = CAST('trigger' AS regtype)
ORDER BY 1, 2`

// pgGuard is something on which the promises rest.
type pgGuard struct{ kind, name, definition, state string }

// checkPostgresSchema compares the database with one that the migrations make
// from nothing, as temporary tables in a transaction that is rolled back: the
// same server prints the definitions of both. Whatever a newer program has
// added is its own.
func checkPostgresSchema(ctx context.Context, server *database.Server) (problems []string, err error) {
	conn, err := pgx.ConnectConfig(ctx, server.Session(nil))
	if err != nil {
		return nil, err
	}
	// Closing it rolls everything back.
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := server.Begin(ctx, conn, nil); err != nil {
		return nil, err
	}
	var schema string
	if err := conn.QueryRow(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return nil, err
	}
	// Functions are not looked for among temporary ones: the triggers of the
	// temporary tables call those of the real schema.
	if _, err := conn.Exec(ctx, `SELECT set_config('search_path', 'pg_temp, ' || quote_ident($1), true)`, schema); err != nil {
		return nil, err
	}
	if err := runTemporarily(ctx, conn); err != nil {
		if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == "42883" {
			return []string{"the triggers cannot be compared: " + refused.Message}, nil
		}
		return nil, fmt.Errorf("make the expected schema: %w", err)
	}
	// With no schema in the path, every name is printed with its own.
	var made string
	err = conn.QueryRow(ctx, `SELECT nspname, set_config('search_path', 'pg_catalog', true) FROM pg_namespace WHERE oid = pg_my_temp_schema()`).Scan(&made, nil)
	if err != nil {
		return nil, err
	}
	expected, err := pgGuards(ctx, conn, made, schema)
	if err != nil {
		return nil, err
	}
	found, err := pgGuards(ctx, conn, schema, schema)
	if err != nil {
		return nil, err
	}
	return compareGuards(expected, found), nil
}

// temporarily makes of a migration one that runs in a transaction and touches
// nothing but temporary tables. An index that an interrupted attempt has left is
// not there: without its schema, the name would be that of the real index, and
// dropping it locks the real table for as long as the transaction lasts.
var temporarily = strings.NewReplacer(" CONCURRENTLY", "", "DROP INDEX IF EXISTS ", "DROP INDEX IF EXISTS pg_temp.")

// runTemporarily runs the migrations of PostgreSQL in this transaction.
func runTemporarily(ctx context.Context, conn *pgx.Conn) error {
	files, err := fs.Glob(migrations.Files, "postgres/*.sql")
	if err != nil {
		return err
	}
	for _, file := range files { // in their order
		text, err := fs.ReadFile(migrations.Files, file)
		if err != nil {
			return err
		}
		if _, err := conn.PgConn().Exec(ctx, temporarily.Replace(string(text))).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// pgGuards reads the guards of a schema. What is printed about it looks as if
// it stood in no schema; real is the schema in which the functions are.
func pgGuards(ctx context.Context, conn *pgx.Conn, schema, real string) ([]pgGuard, error) {
	rows, err := conn.Query(ctx, `SELECT oid, quote_ident(nspname) || '.', quote_ident($2) || '.' FROM pg_namespace WHERE nspname = $1`, schema, real)
	if err != nil {
		return nil, err
	}
	var id uint32
	var prefix, realPrefix string
	if _, err := pgx.ForEachRow(rows, []any{&id, &prefix, &realPrefix}, func() error { return nil }); err != nil {
		return nil, err
	}
	rows, err = conn.Query(ctx, pgGuardsSQL, id)
	if err != nil {
		return nil, err
	}
	without := strings.NewReplacer(prefix, "", realPrefix, "", "pg_temp.", "")
	var g pgGuard
	var list []pgGuard
	_, err = pgx.ForEachRow(rows, []any{&g.kind, &g.name, &g.definition, &g.state}, func() error {
		g.definition = without.Replace(g.definition)
		list = append(list, g)
		return nil
	})
	return list, err
}

// compareGuards says what is not as it is expected.
func compareGuards(expected, found []pgGuard) (problems []string) {
	type key struct{ kind, name string }
	there := make(map[key]pgGuard, len(found))
	for _, g := range found {
		there[key{g.kind, g.name}] = g
	}
	for _, want := range expected {
		got, exists := there[key{want.kind, want.name}]
		switch {
		case !exists:
			problems = append(problems, fmt.Sprintf("%s %s is missing", want.kind, want.name))
		case got.definition != want.definition:
			problems = append(problems, fmt.Sprintf("%s %s was changed", want.kind, want.name))
		case got.state != want.state:
			problems = append(problems, fmt.Sprintf("%s %s is %s", want.kind, want.name, describeState(got.state)))
		}
	}
	return problems
}

func describeState(state string) string {
	if state == "" {
		return "not always on: it rests in a session that plays a replica"
	}
	return state
}
