package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"tolem/commands/internal/console"
	"tolem/reconcile"
	"tolem/sheet"
	"tolem/topup"
)

func money(amount int64, currency string) string {
	return topup.Money{Amount: amount, Currency: currency}.String()
}

// writeOut writes the differences into the file that --out names.
func (c *comparison) writeOut() error {
	format, err := sheetFormat(string(c.Out))
	if err != nil {
		return err
	}
	type record = differenceRecord
	table := sheet.Table[record]{Name: "differences", Zone: c.zone, Columns: []sheet.Column[record]{
		sheet.TextColumn("difference", 22, func(r record) string { return string(r.Kind) }),
		sheet.TextColumn("line", 24, func(r record) string { return r.place }),
		sheet.TextColumn("payment", 30, func(r record) string { return r.payment }),
		sheet.TextColumn("payment_id", 30, func(r record) string { return r.paymentID }),
		sheet.TextColumn("operation", 22, func(r record) string { return r.operation }),
		sheet.TimeColumn("at", func(r record) time.Time { return r.at }),
		{Heading: "amount_there", Width: 16, Of: func(r record) sheet.Value { return r.amount(r.Line != nil, r.thereAmount) }},
		{Heading: "amount_here", Width: 16, Of: func(r record) sheet.Value { return r.amount(r.here != "", r.hereAmount) }},
		sheet.TextColumn("currency", 9, func(r record) string { return r.currency }),
		sheet.TextColumn("there", 22, func(r record) string { return r.there }),
		sheet.TextColumn("here", 22, func(r record) string { return r.here }),
		sheet.TextColumn("next", 60, func(r record) string { return r.Next }),
	}}
	return console.WriteFile(string(c.Out), func(out io.Writer) error {
		return table.Write(out, format, func(add func(record) error) error {
			return c.engine.Each(func(d reconcile.Difference) error { return add(c.record(&d)) })
		})
	})
}

func (r differenceRecord) amount(has bool, amount int64) sheet.Value {
	if !has {
		return sheet.Value{}
	}
	return sheet.Amount(amount, r.currency)
}

// differenceJSON is a difference for programs. Amounts are in minor units.
type differenceJSON struct {
	Kind  reconcile.Kind `json:"kind"`
	There *thereJSON     `json:"there,omitempty"`
	Here  *hereJSON      `json:"here,omitempty"`
	Next  string         `json:"next"`
}

type thereJSON struct {
	File      string     `json:"file"`
	Line      int        `json:"line"`
	Payment   string     `json:"payment,omitempty"`
	Operation string     `json:"operation,omitempty"`
	Type      string     `json:"type"`
	Status    string     `json:"status,omitempty"`
	Amount    int64      `json:"amount"`
	Currency  string     `json:"currency"`
	At        *time.Time `json:"at,omitempty"`
}

type hereJSON struct {
	PaymentID     string     `json:"payment_id"`
	Status        string     `json:"status,omitempty"`
	Operation     string     `json:"operation,omitempty"`
	TransactionID string     `json:"transaction_id,omitempty"`
	Amount        int64      `json:"amount"`
	Currency      string     `json:"currency"`
	At            *time.Time `json:"at,omitempty"`
}

func (c *comparison) differenceJSON(d *reconcile.Difference) differenceJSON {
	j := differenceJSON{Kind: d.Kind, Next: d.Next}
	if l := d.Line; l != nil {
		j.There = &thereJSON{c.source(l), l.Line, l.Payment, l.Operation, string(l.Type), string(l.Status), l.Amount, l.Currency, timeOrNil(l.At)}
	}
	if e := d.Entry; e != nil {
		j.Here = &hereJSON{e.PaymentID, "", e.Operation, e.TransactionID, e.Amount, e.Currency, timeOrNil(e.At)}
	}
	if p := d.Payment; p != nil {
		j.Here = &hereJSON{p.PaymentID, p.Status, p.CreditOperation, "", p.Amount, p.Currency, nil}
	}
	return j
}

// source is the file of a line.
func (c *comparison) source(l *reconcile.Line) string {
	if len(c.Files) == 0 {
		return "Data API"
	}
	return c.Files[l.File]
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// printJSON prints one object, its differences one by one.
func (c *comparison) printJSON() error {
	head, err := json.Marshal(struct {
		Counts  reconcile.Counts `json:"counts"`
		Notes   []string         `json:"notes"`
		Applied *applied         `json:"applied,omitempty"`
	}{c.counts(), append([]string{}, c.notes()...), c.applied})
	if err != nil {
		return err
	}
	out := c.program.Stdio.Out
	if _, err := fmt.Fprintf(out, "%s,\"differences\":[", head[:len(head)-1]); err != nil {
		return err
	}
	separator := "\n"
	err = c.engine.Each(func(d reconcile.Difference) error {
		text, err := json.Marshal(c.differenceJSON(&d))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s%s", separator, text)
		separator = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "]}")
	return err
}

// counts has every kind, also those of which there are none.
func (c *comparison) counts() reconcile.Counts {
	all := reconcile.Counts{}
	for _, kind := range reconcile.Kinds {
		all[kind] = c.engine.Counts()[kind]
	}
	return all
}
