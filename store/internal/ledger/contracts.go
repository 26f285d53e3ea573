package ledger

import (
	"context"
	"fmt"
	"strings"

	"tolem/store/internal/accounts"
	"tolem/store/internal/engine"
	"tolem/store/migrations"
)

// contractBalancesSQL reads what was credited to a customer's contracts.
const contractBalancesSQL = `SELECT l.name, l.credits - l.debits FROM ` + migrations.BalancesTable + ` l
	WHERE l.name >= ? AND l.name < ? AND l.currency = (SELECT a.currency` + engine.VisibleFrom + `)`

// ContractBalances returns, by contract id, what has been credited to a
// customer's contracts in the account's currency: credits less debits, in
// minor units. Contracts that were never credited are left out. The id is
// normalised first.
func (l *Ledger) ContractBalances(ctx context.Context, customerID string) (_ map[string]int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the balances of an account: %w", err)
		}
	}()
	customerID = l.normalize.Apply(customerID)
	from, to := accounts.LedgerRange(customerID)
	rows, err := l.reader.Raw(ctx, contractBalancesSQL, from, to, customerID).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	balances := make(map[string]int64)
	for rows.Next() {
		var name string
		var balance int64
		if err := rows.Scan(&name, &balance); err != nil {
			return nil, err
		}
		balances[strings.TrimPrefix(name, from)] = balance
	}
	return balances, rows.Err()
}
