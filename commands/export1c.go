package commands

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tolem/bankfile"
	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
)

// exportOneC writes the posted payouts of a period as 1CClientBankExchange.
func exportOneC(ctx context.Context, out io.Writer, b console.Books, period store.Period) error {
	days := accountingDays{by: period.By, zone: b.Config.Location()}
	exchange := bankfile.Exchange{Created: time.Now().In(days.zone)}
	err := b.Journal(ctx, period, func(t topup.Transaction) error {
		if t.Kind != topup.KindPayout {
			return nil
		}
		payout, bank, err := postedPayout(ctx, b, t)
		if err != nil || payout == nil || payout.Net == 0 {
			return err
		}
		document, err := payoutDocument(payout, bank, days.day(t))
		if err != nil {
			return err
		}
		if !slices.Contains(exchange.Accounts, bank.IBAN) {
			exchange.Accounts = append(exchange.Accounts, bank.IBAN)
		}
		if exchange.From.IsZero() || document.Booked.Before(exchange.From) {
			exchange.From = document.Booked
		}
		if document.Booked.After(exchange.To) {
			exchange.To = document.Booked
		}
		exchange.Documents = append(exchange.Documents, document)
		return nil
	})
	if err != nil {
		return err
	}
	return exchange.Write(out)
}

// postedPayout is the payout that a transaction booked, with its bank account; nil
// if the booking was reversed.
func postedPayout(ctx context.Context, b console.Books, t topup.Transaction) (*store.Payout, *config.Bank, error) {
	payout, err := b.PayoutOfTransaction(ctx, t.ID)
	if err != nil || payout.State != topup.PayoutPosted {
		return nil, nil, err
	}
	bank := b.Config.Bank(payout.Bank)
	if bank == nil {
		return nil, nil, fmt.Errorf("payout %s: bank account %s is not configured: add it under bank", payout.ID, payout.Bank)
	}
	var missing []string
	for _, key := range []struct{ name, value string }{{"iban", bank.IBAN}, {"bic", bank.BIC}, {"bin", bank.BIN}, {"kbe", bank.KBE}} {
		if key.value == "" {
			missing = append(missing, key.name)
		}
	}
	if len(missing) > 0 {
		return nil, nil, fmt.Errorf("payout %s: the configuration of bank account %s has no %s, which 1C needs", payout.ID, bank.Name, strings.Join(missing, ", "))
	}
	return payout, bank, nil
}

// payoutDocument is a payout as a document. Of the platform it says what the bank
// line says, if the payout is matched with one.
func payoutDocument(p *store.Payout, bank *config.Bank, booked calendar.Day) (bankfile.Document, error) {
	date, err := calendar.ParseDay(p.Date)
	if err != nil {
		return bankfile.Document{}, err
	}
	own := bankfile.Party{ID: bank.BIN, KBE: bank.KBE, Account: bank.IBAN, BIC: bank.BIC}
	platform := bankfile.Party{Name: p.Provider + " " + p.Project}
	if l := p.BankLine; l != nil {
		platform.ID, platform.Account = l.CounterpartyID, l.CounterpartyAccount
		if l.CounterpartyName != "" {
			platform.Name = l.CounterpartyName
		}
	}
	d := bankfile.Document{
		Number: p.ID, Date: date, Booked: booked, Direction: bankfile.In, Amount: p.Net, Currency: p.Currency, Payer: platform, Payee: own,
		Purpose: fmt.Sprintf("Выплата %s, %s %s: принято %s, возвращено %s, комиссия %s, удержано в резерв %s, корректировки %s", p.ID, p.Provider, p.Project,
			major(p.Gross, p.Currency), major(p.Refunds, p.Currency), major(p.Fees, p.Currency), major(p.Reserve, p.Currency), major(p.Adjustments, p.Currency)),
	}
	if d.Amount < 0 {
		d.Direction, d.Amount, d.Payer, d.Payee = bankfile.Out, -d.Amount, own, platform
	}
	return d, nil
}
