package accounts

import (
	"fmt"
	"strings"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// Sources of changes of accounts.
const (
	SourceImport = "import" // a file
	SourcePut    = "put"    // the admin API
	SourceDemo   = "demo"   // demo data
)

// maxFileNameBytes bounds what is kept of a file's name.
const maxFileNameBytes = 255

// origin is who changes accounts.
type origin struct{ source, actor, file, sha256 string }

func (o origin) check() error {
	if o.actor == "" {
		return nil
	}
	return topup.CheckNote("actor", o.actor, topup.MaxActorBytes)
}

// shownFile is a file's name as the history keeps it.
func shownFile(name string) string {
	name = strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "\uFFFD")
	for len(name) > maxFileNameBytes {
		name = name[:len(name)-1]
		name = strings.ToValidUTF8(name, "")
	}
	return name
}

const insertChangeSQL = `INSERT INTO account_changes (revision, at, source, actor, file, sha256, replaces, customer_id,
	accounts, contracts, created, changed, unchanged, overtaken, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// insertChange writes who wrote a revision; customerID is that of a PUT.
func insertChange(tx *engine.Tx, revision int64, by origin, customerID string, replaces bool, r ImportReport) error {
	replacing := int64(0)
	if replaces {
		replacing = 1
	}
	err := tx.Gorm().Exec(insertChangeSQL, revision, database.Micros(tx.Now()), by.source, by.actor, by.file, by.sha256, replacing, customerID,
		r.Accounts, r.Contracts, r.Created, r.Changed, r.Unchanged, r.Overtaken, r.Closed).Error
	if err != nil {
		return fmt.Errorf("write who changed accounts: %w", err)
	}
	return nil
}
