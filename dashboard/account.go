package dashboard

import (
	"net/http"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

// statementDays is how many days a statement has when nobody says.
const statementDays = 30

type accountPage struct {
	Account   *topup.Account
	Balances  map[string]int64 // by contract, minor units
	From, To  string           // days, both included
	FromTime  time.Time
	ToTime    time.Time // the last instant
	Statement store.Statement
	Numbers   map[string]string // contract numbers by id
	Problem   string
	Printed   time.Time
	Total     int64
}

// account shows a customer's contracts, their balances, and a statement.
func (d *Dashboard) account(w http.ResponseWriter, r *http.Request, s *session) error {
	ctx := r.Context()
	account, err := d.store.Account(ctx, r.PathValue("customer_id"))
	if err != nil {
		return err
	}
	body := accountPage{Account: account, Numbers: map[string]string{}, Printed: d.now()}
	for _, c := range account.Contracts {
		body.Numbers[c.ID] = c.Number
	}
	if body.Balances, err = d.store.ContractBalances(ctx, account.CustomerID); err != nil {
		return err
	}
	for _, balance := range body.Balances {
		body.Total += balance
	}
	p := d.page(w, r, s, "account.title", account.CustomerID)
	p.Section = "payments"
	status := http.StatusOK
	today := calendar.DayOf(d.now(), d.zone)
	body.From, body.To = r.URL.Query().Get("from"), r.URL.Query().Get("to")
	if body.To == "" {
		body.To = today.String()
	}
	if body.From == "" {
		body.From = today.Add(1 - statementDays).String()
	}
	from, err := d.dayOf("from", body.From, calendar.Day.Start)
	to, err2 := d.dayOf("to", body.To, calendar.Day.End)
	switch {
	case err != nil || err2 != nil || !from.Before(to):
		status, body.Problem = http.StatusUnprocessableEntity, d.printer(p.Language).Text("account.days")
	default:
		body.FromTime, body.ToTime = from, to.Add(-time.Microsecond)
		if body.Statement, err = d.store.Statement(ctx, account.CustomerID, from, to); err != nil {
			return err
		}
	}
	d.show(w, r, status, "account", p, body)
	return nil
}
