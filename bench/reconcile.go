//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tolem/reconcile/planted"
	"tolem/store"
)

// reconciledLines are how many payments the report has that is compared.
const reconciledLines = 1_000_000

// joinSQL is what somebody would do without tolem: import the report and join it
// with the books, both ways.
const joinSQL = `ATTACH '%s' AS b;
.mode csv
.import %s r
CREATE INDEX r_operation ON r ("Operation ID");
SELECT count(*) FROM r JOIN b.operations o ON o.operation = r."Operation ID" AND o.provider = 'jetpay' AND o.project = '1234'
	WHERE o.initial_amount = CAST(round(r.Amount * 100) AS INTEGER);
SELECT count(*) FROM r LEFT JOIN b.operations o ON o.operation = r."Operation ID" AND o.provider = 'jetpay' AND o.project = '1234'
	WHERE o.operation IS NULL;
SELECT count(*) FROM b.operations o JOIN b.transactions t ON t.seq = o.seq
	WHERE o.provider = 'jetpay' AND NOT EXISTS (SELECT 1 FROM r WHERE r."Operation ID" = o.operation);
`

// tableOfReconcile compares a report of a million payments with their books, beside
// sqlite3 with the same file.
func (b *bench) tableOfReconcile(ctx context.Context, reached goals) (notes []string, err error) {
	other, err := exec.LookPath("sqlite3")
	if err != nil {
		return []string{"reconcile was not measured: sqlite3 is not installed"}, nil
	}
	folder, remove, err := b.subfolder("reconcile")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	books, report, err := plantedBooks(ctx, folder)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "config.yaml")
	text := "timezone: UTC\ndatabase: {dsn: " + books + "}\nadmin: {tokens: [{name: bench, role: admin, token: bench-admin-token}]}\njetpay: {projects: [{id: 1234, secrets: [bench-secret]}]}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	how := filepath.Join(folder, "map.yaml")
	if err := os.WriteFile(how, []byte(planted.Map), 0o600); err != nil {
		return nil, err
	}
	var ratios, ours []float64
	most := int64(0)
	for range b.rounds {
		command := exec.CommandContext(ctx, b.program, "reconcile", report, "--map", how, "--project", "1234", "--from", planted.Day, "--to", planted.Day,
			"--out", filepath.Join(folder, "differences.csv"), "--config", config)
		took, peak, out, err := timed(command)
		if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
			return nil, fmt.Errorf("reconcile: %w\n%s", err, out)
		}
		if want := planted.Want(reconciledLines).String(); !strings.HasSuffix(strings.TrimSpace(out), want) {
			return nil, fmt.Errorf("reconcile: got %s, want %s", out, want)
		}
		most = max(most, peak)
		imported := filepath.Join(folder, "imported.db")
		command = exec.CommandContext(ctx, other, imported)
		command.Stdin = strings.NewReader(fmt.Sprintf(joinSQL, books, report))
		base, _, out, err := timed(command)
		if err != nil {
			return nil, fmt.Errorf("sqlite3: %w\n%s", err, out)
		}
		if err := os.Remove(imported); err != nil {
			return nil, err
		}
		ours, ratios = append(ours, took.Seconds()), append(ratios, took.Seconds()/base.Seconds())
	}
	reached.atMost("reconcile of 10^6 payments ÷ sqlite3 .import and joins", fmt.Sprintf("%.1f s", median(ours)), median(ratios), 3)
	reached.atMost("its memory ÷ 100 MB", megabytes(most), float64(most)/100e6, 1)
	return nil, nil
}

// plantedBooks fills a database and writes the report of it.
func plantedBooks(ctx context.Context, folder string) (books, report string, err error) {
	books, report = filepath.Join(folder, "tolem.db"), filepath.Join(folder, "report.csv")
	s, err := store.Open(ctx, store.Options{Path: books})
	if err != nil {
		return "", "", err
	}
	if err := s.Close(); err != nil {
		return "", "", err
	}
	db, err := database{driverSQLite, books}.connect()
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", "", err
	}
	fill := func(statement string) error {
		_, err := tx.ExecContext(ctx, statement)
		return err
	}
	if err := planted.Fill(fill, "1234", reconciledLines); err != nil {
		return "", "", errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return "", "", err
	}
	file, err := os.Create(report)
	if err != nil {
		return "", "", err
	}
	return books, report, errors.Join(planted.Report(file, reconciledLines), file.Close())
}

// timed runs a command and returns how long it took and how much memory it had at
// most. The kernel's own figure (ru_maxrss) would include that of this program,
// from which the command was forked.
func timed(command *exec.Cmd) (took time.Duration, most int64, out string, err error) {
	var text bytes.Buffer
	command.Stdout, command.Stderr = &text, &text
	started := time.Now()
	if err := command.Start(); err != nil {
		return 0, 0, "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return time.Since(started), most, text.String(), err
		case <-tick.C:
			// Once it has ended there is nothing to read.
			if _, peak, err := (&process{command: command}).memory(); err == nil {
				most = max(most, peak)
			}
		}
	}
}
