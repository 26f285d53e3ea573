// Package planted makes books and a report of any size in which every kind of
// difference is planted, for tests and benchmarks.
package planted

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"tolem/reconcile"
)

// Map reads the report of [Report].
const Map = `
columns: {payment: Payment ID, operation: Operation ID, type: Operation type, status: Status, amount: Amount, currency: Currency, fee: Fee, time: Completed at}
fee_sign: "-"
skip: {payment: Total}
types: {sale: payment, refund: refund, refund reverse: refund_reversal, chargeback: chargeback, settlement fee: fee}
statuses: {success: paid, decline: declined}
`

// Day is the day, in UTC, of all that is made, and its first instant.
const Day = "2026-11-29"

var start = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// every is how many payments there are to one of each special kind.
const every = 1000

// special is what is special about a payment, by its number modulo every.
type special int

const (
	missingHere special = iota + 1
	missingThere
	amountDiffers
	currencyDiffers
	pendingHere
	declinedThere
	refundMissingHere
	refundMissingThere
	duplicated
	partialRefund   // on both sides
	secondOperation // missing here
	earlierDecline
	cancelledRefund // there alone, so that nothing differs
	declinedOnBoth
	creditedByHand // without an operation
	inSuspense     // under an id of the platform's
	chargeback     // a refund that is missing here
	nextDay        // there it is dated after the end of the day
	specials
)

type payment struct {
	n         int
	special   special
	id        string
	operation string
	amount    int64
	at        time.Time
}

func nth(n int) payment {
	p := payment{n: n, id: fmt.Sprintf("01JDWY4Q0ZJ8N7E3%010d", n), operation: fmt.Sprint(5_000_000_000 + n), amount: int64(10_000 + n%100_000*7)}
	if s := special(n % every); s < specials {
		p.special = s
	}
	p.at = start.Add(time.Duration(n%86_000) * time.Second)
	return p
}

// Want are the counts of a comparison.
func Want(n int) reconcile.Counts {
	c := reconcile.Counts{}
	for i := range n {
		switch s := nth(i).special; s {
		case missingHere:
			c[reconcile.MissingHere]++
		case missingThere:
			c[reconcile.MissingThere]++
		case amountDiffers:
			c[reconcile.AmountDiffers]++
		case currencyDiffers:
			c[reconcile.CurrencyDiffers]++
		case pendingHere, declinedThere:
			c[reconcile.StatusDiffers]++
		default:
			c[reconcile.Matched]++
			switch s {
			case refundMissingHere, chargeback:
				c[reconcile.RefundMissingHere]++
			case refundMissingThere:
				c[reconcile.RefundMissingThere]++
			case duplicated:
				c[reconcile.DuplicatedThere]++
			case partialRefund, earlierDecline:
				c[reconcile.Matched]++
			case secondOperation:
				c[reconcile.MissingHere]++
			}
		}
	}
	return c
}

// Differences are the payments that have a difference, each with its kind.
func Differences(n int) map[string]reconcile.Kind {
	found := map[string]reconcile.Kind{}
	for i := range n {
		p := nth(i)
		kinds := [specials]reconcile.Kind{missingHere: reconcile.MissingHere, missingThere: reconcile.MissingThere, amountDiffers: reconcile.AmountDiffers,
			currencyDiffers: reconcile.CurrencyDiffers, pendingHere: reconcile.StatusDiffers, declinedThere: reconcile.StatusDiffers,
			refundMissingHere: reconcile.RefundMissingHere, refundMissingThere: reconcile.RefundMissingThere, duplicated: reconcile.DuplicatedThere,
			secondOperation: reconcile.MissingHere, chargeback: reconcile.RefundMissingHere}
		if kind := kinds[p.special]; kind != "" {
			found[p.id] = kind
		}
	}
	return found
}

// Report writes the report, in an order of its own, with a total at its end.
func Report(out io.Writer, n int) error {
	w := bufio.NewWriterSize(out, 64<<10)
	fmt.Fprintln(w, "Payment ID,Operation ID,Operation type,Status,Amount,Currency,Fee,Completed at")
	step := 7919 // a prime: all numbers once
	if n%step == 0 {
		step = 7907
	}
	for i := range n {
		nth(i * step % n).report(w)
	}
	fmt.Fprintf(w, "Total,,,,%d.00,KZT,,\n", n)
	return w.Flush()
}

func (p *payment) line(w io.Writer, operation, kind, status string, amount int64, currency string, at time.Time) {
	fmt.Fprintf(w, "%s,%s,%s,%s,%d.%02d,%s,-%d.%02d,%s\n", p.id, operation, kind, status, amount/100, amount%100, currency, amount/10_000, amount/100%100, at.Format(time.DateTime))
}

func (p payment) report(w io.Writer) {
	later := p.at.Add(time.Minute)
	sale := func() { p.line(w, p.operation, "sale", "success", p.amount, "KZT", p.at) }
	switch p.special {
	case missingThere:
		return
	case amountDiffers:
		p.line(w, p.operation, "sale", "success", p.amount+1, "KZT", p.at)
		return
	case currencyDiffers:
		p.line(w, p.operation, "sale", "success", p.amount, "USD", p.at)
		return
	case declinedThere, declinedOnBoth:
		p.line(w, p.operation, "sale", "decline", p.amount, "KZT", p.at)
		return
	case nextDay:
		p.line(w, p.operation, "sale", "success", p.amount, "KZT", start.AddDate(0, 0, 1).Add(time.Hour))
		return
	case earlierDecline:
		p.line(w, "7"+p.operation, "sale", "decline", p.amount, "KZT", p.at)
	}
	sale()
	switch p.special {
	case duplicated:
		sale()
	case refundMissingHere, partialRefund:
		p.line(w, "8"+p.operation, "refund", "success", p.amount/4, "KZT", later)
	case chargeback:
		p.line(w, "8"+p.operation, "chargeback", "success", p.amount, "KZT", later)
	case secondOperation:
		p.line(w, "7"+p.operation, "sale", "success", p.amount, "KZT", later)
	case cancelledRefund:
		p.line(w, "8"+p.operation, "refund", "success", p.amount, "KZT", later)
		p.line(w, "9"+p.operation, "refund reverse", "success", p.amount, "KZT", later)
	}
}

// rowsOfStatement is how many rows a statement of Fill inserts.
const rowsOfStatement = 400

// Fill writes the payments of a project of JetPay into an empty database that has
// the store's tables.
func Fill(exec func(statement string) error, project string, n int) error {
	f := filler{exec: exec, project: project, tables: map[string]*strings.Builder{}, rows: map[string]int{}}
	for i := range n {
		p := nth(i)
		if err := f.put(&p); err != nil {
			return err
		}
	}
	return f.flush()
}

type filler struct {
	exec    func(string) error
	project string
	seq     int
	tables  map[string]*strings.Builder
	rows    map[string]int
}

// The tables, in the order in which their rows refer to each other.
var order = []struct{ name, columns string }{
	{"payments", "payment_id, provider, project, customer_id, entity_id, contract_number, amount, currency, method, status, flags, created_at, provider_reference, credit_seq, credit_amount, credit_currency, credit_by_operator, credit_operation"},
	{"transactions", "seq, transaction_id, kind, payment_id, slot, actor, effective_at, recorded_at"},
	{"operations", "operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency"},
}

func (f *filler) row(table, format string, values ...any) {
	b := f.tables[table]
	if b == nil {
		b = new(strings.Builder)
		f.tables[table] = b
	}
	if f.rows[table] > 0 {
		b.WriteByte(',')
	}
	f.rows[table]++
	fmt.Fprintf(b, "("+format+")", values...)
}

func (f *filler) flush() error {
	for _, table := range order {
		if f.rows[table.name] == 0 {
			continue
		}
		statement := "INSERT INTO " + table.name + " (" + table.columns + ") VALUES " + f.tables[table.name].String()
		if err := f.exec(statement); err != nil {
			return fmt.Errorf("fill %s: %w", table.name, err)
		}
		f.tables[table.name].Reset()
		f.rows[table.name] = 0
	}
	return nil
}

func (f *filler) transaction(kind, id, actor string, at time.Time) (seq int) {
	f.seq++
	slot := f.seq
	if kind == "credit" || kind == "manual_credit" {
		slot = 0
	}
	f.row("transactions", "%d,'t_%d','%s','%s',%d,'%s',%d,%d", f.seq, f.seq, kind, id, slot, actor, at.UnixMicro(), at.UnixMicro())
	return f.seq
}

func (f *filler) operation(operation, reference string, seq int, amount int64) {
	f.row("operations", "'%s','jetpay','%s',%d,'%s',%d,'KZT',%d,'KZT'", operation, f.project, seq, reference, amount, amount)
}

func (f *filler) put(p *payment) error {
	open := func(status, credit string) {
		f.row("payments", "'%s','jetpay','%s','7123456789','12345','n',%d,'KZT','terminal/kaspi','%s',0,%d,'',%s", p.id, f.project, p.amount, status, p.at.UnixMicro(), credit)
	}
	none := "NULL,NULL,NULL,0,''"
	switch p.special {
	case missingHere:
	case pendingHere:
		open("pending", none)
	case declinedOnBoth:
		open("declined", none)
	case creditedByHand:
		seq := f.transaction("manual_credit", p.id, "operator", p.at)
		open("succeeded", fmt.Sprintf("%d,%d,'KZT',1,''", seq, p.amount))
	case inSuspense:
		own := "own-" + p.id
		seq := f.transaction("suspense", own, "", p.at)
		f.row("payments", "'%s','jetpay','%s','','','',%d,'KZT','kaspi','review',4,%d,'%s',%s", own, f.project, p.amount, p.at.UnixMicro(), p.id, none)
		f.operation(p.operation, p.id, seq, p.amount)
	default:
		seq := f.transaction("credit", p.id, "", p.at)
		open("succeeded", fmt.Sprintf("%d,%d,'KZT',0,'%s'", seq, p.amount, p.operation))
		f.operation(p.operation, p.id, seq, p.amount)
		if p.special == partialRefund || p.special == refundMissingThere {
			back := f.transaction("refund", p.id, "operator", p.at)
			f.operation("8"+p.operation, p.id, back, p.amount/4)
		}
	}
	if f.rows["payments"] < rowsOfStatement {
		return nil
	}
	return f.flush()
}
