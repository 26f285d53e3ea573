package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"tolem/pgtest"
)

func TestAProxyCutsAndRefuses(t *testing.T) {
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	conn := open(t, proxy.URL())
	if got, want := value[int](t, conn, `SELECT 7`), 7; got != want {
		t.Errorf("through the proxy: got %d, want %d", got, want)
	}
	proxy.Cut()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection was not cut")
	}
	exec(t, open(t, proxy.URL()), `SELECT 1`)

	proxy.Refuse(true)
	if conn, err := pgx.Connect(t.Context(), proxy.URL()); err == nil {
		conn.Close(t.Context())
		t.Error("a connection was not refused")
	}
	proxy.Refuse(false)
	exec(t, open(t, proxy.URL()), `SELECT 1`)
}

func TestAProxyLosesARequestBeforeOrAnAnswerAfterItWasDone(t *testing.T) {
	for _, c := range []struct {
		name   string
		lose   func(*pgtest.Proxy) <-chan struct{}
		commit func(context.Context, *pgx.Conn) error
		rows   int
	}{
		{"request", loseRequest, commit, 0},
		{"request, prepared", loseRequest, commitPrepared, 0},
		{"answer", loseAnswer, commit, 1},
		{"answer, prepared", loseAnswer, commitPrepared, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := pgtest.Database(t)
			direct := open(t, url)
			exec(t, direct, `CREATE TABLE payments (id INTEGER)`)
			proxy := pgtest.NewProxy(t, url)
			conn := open(t, proxy.URL())
			if _, err := conn.Prepare(t.Context(), "end", `COMMIT`); err != nil {
				t.Fatal(err)
			}
			lost := c.lose(proxy)
			exec(t, conn, `BEGIN`)
			exec(t, conn, `INSERT INTO payments VALUES (1)`)
			if err := c.commit(t.Context(), conn); err == nil {
				t.Error("the client was told of success")
			}
			<-lost
			// The server ends a lost client's transaction in its own time.
			exec(t, direct, `BEGIN; LOCK TABLE payments; COMMIT`)
			if got := value[int](t, direct, `SELECT count(*) FROM payments`); got != c.rows {
				t.Errorf("committed rows: got %d, want %d", got, c.rows)
			}

			again := open(t, proxy.URL())
			exec(t, again, `BEGIN`)
			if err := commit(t.Context(), again); err != nil {
				t.Errorf("a second commit was lost too: %v", err)
			}
		})
	}
}

func loseRequest(p *pgtest.Proxy) <-chan struct{} { return p.LoseRequest("commit") }
func loseAnswer(p *pgtest.Proxy) <-chan struct{}  { return p.LoseAnswer("COMMIT") }

func commit(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `commit`)
	return err
}

// commitPrepared runs the statement "end" by name.
func commitPrepared(ctx context.Context, conn *pgx.Conn) error {
	result := conn.PgConn().ExecPrepared(ctx, "end", nil, nil, nil).Read()
	return result.Err
}
