package accounts

import (
	"context"
	"database/sql"
	"fmt"

	"tolem/store/internal/database"
)

const importsSQL = `SELECT ` + changeColumns + `, '', c.replaces = 1, c.accounts, c.contracts, c.created, c.changed, c.unchanged, c.overtaken, c.closed
	FROM account_changes c WHERE c.source = 'import' AND c.at IS NOT NULL ORDER BY c.revision DESC LIMIT ?`

// AccountImport is an import that was made visible.
type AccountImport struct {
	AccountChange
	Replace bool
	ImportReport
}

// AccountImports returns the last imports that were made visible, the newest
// first.
func (c *Catalogue) AccountImports(ctx context.Context, limit int) (imports []AccountImport, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("list imports of accounts: %w", err)
		}
	}()
	rows, err := c.reader.Raw(ctx, importsSQL, limit).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i AccountImport
		var at sql.NullInt64
		var none string
		err := rows.Scan(&i.revision, &at, &i.Source, &i.Actor, &i.File, &i.AccountChange.SHA256, &none, &i.Replace,
			&i.Accounts, &i.Contracts, &i.ImportReport.Created, &i.Changed, &i.Unchanged, &i.Overtaken, &i.Closed)
		if err != nil {
			return nil, err
		}
		i.At = database.FromMicros(at.Int64)
		imports = append(imports, i)
	}
	return imports, rows.Err()
}
