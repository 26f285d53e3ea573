package ledger

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// What the tests of the packages above see of the queries.

// MaxNumbers is how many contract numbers may begin alike.
const MaxNumbers = maxNumbers

// ItemsSQL reads suspense items; %s stands for a condition.
const ItemsSQL = suspenseSQL

// PaymentQuery is the query of a filter.
func (l *Ledger) PaymentQuery(ctx context.Context, f PaymentFilter) (*gorm.DB, error) {
	q, _, err := l.paymentQuery(ctx, f)
	return q, err
}

// NumberQueries are the queries by which a search counts contract numbers in this
// database: as they are, and without their blanks.
func (l *Ledger) NumberQueries() (queries []string) {
	for _, key := range l.numbers().keys() {
		queries = append(queries, fmt.Sprintf(nextNumberSQL, key[0], l.numbers().from, key[1]))
	}
	return queries
}

// StatementLinesSQL and StatementSumsSQL read a statement.
var StatementLinesSQL, StatementSumsSQL = statementLinesSQL, statementSumsSQL
