package dashboard

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/locale"
	"tolem/sheet"
	"tolem/store"
	"tolem/topup"
)

const (
	// amountDays is how many days a search by amount goes back when nobody says.
	amountDays = 40
	pageRows   = 50
	// maxExport bounds the payments of one download.
	maxExport = 20_000
)

// search is what a person looks for.
type search struct {
	Q, Amount, From, To, Status, Flag, Customer string
}

var searchFields = []string{"q", "amount", "from", "to", "status", "flag", "customer"}

func searchOf(q url.Values) search {
	get := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	return search{get("q"), get("amount"), get("from"), get("to"), get("status"), get("flag"), get("customer")}
}

// query is the search as a query of an address.
func (s search) query() url.Values {
	q := url.Values{}
	for i, value := range []string{s.Q, s.Amount, s.From, s.To, s.Status, s.Flag, s.Customer} {
		if value != "" {
			q.Set(searchFields[i], value)
		}
	}
	return q
}

// IsZero reports whether nothing is looked for.
func (s search) IsZero() bool { return s == search{} }

type paymentsPage struct {
	Search   search
	Statuses []topup.Status
	Flags    []string
	Payments []*topup.Payment
	Accounts []*topup.Account // whom the text names
	Range    bool             // the days were chosen by us, for the amount
	Until    time.Time        // nothing older was looked at yet; zero when all was
	NextURL  string
	FirstURL string
	CSVURL   string
	XLSXURL  string
	Problem  string // why the search is refused, in the language of the page
	Detail   string // of that, in English
}

// payments finds payments by whatever a payer can say.
func (d *Dashboard) payments(w http.ResponseWriter, r *http.Request, s *session) error {
	given := r.URL.Query()
	p := d.page(w, r, s, "payments.title")
	p.Section = "payments"
	body := paymentsPage{Search: searchOf(given), Statuses: topup.Statuses, Flags: topup.Flags(math.MaxUint32).Names()}
	filter, err := d.filter(&body)
	if err == nil && given.Has("format") {
		return d.export(w, r, p, filter, given.Get("format"))
	}
	if err == nil {
		filter.Cursor, filter.Limit, filter.Examine = given.Get("cursor"), pageRows, d.examined(filter)
		var next string
		if body.Payments, next, err = d.store.Payments(r.Context(), filter); err == nil {
			if next != "" && len(body.Payments) < pageRows {
				if body.Until, err = store.PageEnd(next); err != nil {
					return err
				}
			}
			body.links(given.Get("cursor"), next)
			body.Accounts, err = d.accountsNamed(r.Context(), body.Search.Q)
		}
	}
	status := http.StatusOK
	if err != nil {
		if !isRefusal(err) {
			return err
		}
		status = http.StatusUnprocessableEntity
		body.Problem, body.Detail = d.printer(p.Language).Text("payments.refused"), err.Error()
	}
	d.show(w, r, status, "payments", p, body)
	return nil
}

// examined is how many payments a page looks at. Those that have not succeeded, or
// have a flag, are read from the table, one by one.
func (d *Dashboard) examined(f store.PaymentFilter) int {
	if f.Flag != 0 || f.Status != "" && f.Status != topup.StatusSucceeded {
		return max(1, d.examine/10)
	}
	return d.examine
}

// links sets the addresses of the other pages and of the downloads.
func (b *paymentsPage) links(cursor, next string) {
	at := func(name, value string) string {
		q := b.Search.query()
		if name != "" {
			q.Set(name, value)
		}
		return "/payments?" + q.Encode()
	}
	if next != "" {
		b.NextURL = at("cursor", next)
	}
	if cursor != "" {
		b.FirstURL = at("", "")
	}
	b.CSVURL, b.XLSXURL = at("format", "csv"), at("format", "xlsx")
}

// filter makes the store's filter of a search.
func (d *Dashboard) filter(b *paymentsPage) (f store.PaymentFilter, err error) {
	s := &b.Search
	f.Q, f.Payers, f.CustomerID = s.Q, s.Q != "", s.Customer
	if s.Status != "" {
		if f.Status, err = topup.ParseStatus(s.Status); err != nil {
			return f, err
		}
	}
	if s.Flag != "" {
		if f.Flag, err = topup.ParseFlag(s.Flag); err != nil {
			return f, err
		}
	}
	if s.Amount != "" {
		if f.Major, err = topup.ParseMajor(plainAmount(s.Amount)); err != nil {
			return f, topup.Invalid("amount", "%v", err)
		}
		if s.From == "" {
			to := calendar.DayOf(d.now(), d.zone)
			if day, err := calendar.ParseDay(s.To); err == nil {
				to = day
			}
			s.From, b.Range = to.Add(1-amountDays).String(), true
		}
	}
	if f.From, err = d.dayOf("from", s.From, calendar.Day.Start); err != nil {
		return f, err
	}
	f.To, err = d.dayOf("to", s.To, calendar.Day.End)
	return f, err
}

// dayOf is the start or the end of a day that somebody entered, the zero time for
// none.
func (d *Dashboard) dayOf(field, text string, edge func(calendar.Day, *time.Location) time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := calendar.ParseDay(text)
	if err != nil {
		return time.Time{}, topup.Invalid(field, "%v", err)
	}
	return edge(day, d.zone), nil
}

// plainAmount is an amount as topup.ParseMajor reads it: people write blanks
// between thousands, a comma before the tiyn, and the currency behind.
func plainAmount(text string) string {
	text = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '\u202f', '\u2009', '₸', '₽', '$', '€':
			return -1
		}
		return r
	}, text)
	if strings.Contains(text, ".") { // 1,000.00
		return strings.ReplaceAll(text, ",", "")
	}
	whole, fraction, comma := strings.Cut(text, ",")
	if comma && len(fraction) == 3 && !strings.HasPrefix(whole, "0") { // 1,000
		return whole + fraction
	}
	return strings.Replace(text, ",", ".", 1)
}

// accountsNamed are the accounts of a customer id or telephone number.
func (d *Dashboard) accountsNamed(ctx context.Context, text string) ([]*topup.Account, error) {
	var list []*topup.Account
	if text == "" || len(text) > topup.MaxTextBytes {
		return nil, nil
	}
	for _, id := range d.store.CustomerIDs(text) {
		a, err := d.store.Account(ctx, id)
		if isRefusal(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(b *topup.Account) bool { return b.CustomerID == a.CustomerID }) {
			list = append(list, a)
		}
	}
	return list, nil
}

// export writes what a search finds as a file.
func (d *Dashboard) export(w http.ResponseWriter, r *http.Request, p *page, f store.PaymentFilter, format string) error {
	if format != string(sheet.CSV) && format != string(sheet.XLSX) {
		return topup.Invalid("format", "must be csv or xlsx")
	}
	var all []*topup.Payment
	f.Limit = 500
	for {
		list, next, err := d.store.Payments(r.Context(), f)
		if err != nil {
			return err
		}
		all = append(all, list...)
		if len(all) > maxExport {
			return topup.Invalid("format", "would have more than %d payments: choose fewer days, or a status", maxExport)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	name := "payments-" + calendar.DayOf(d.now(), d.zone).String() + "." + format
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Content-Type", exportKinds[sheet.Format(format)])
	return paymentTable(d.printer(p.Language)).Write(w, sheet.Format(format), func(add func(*topup.Payment) error) error {
		for _, payment := range all {
			if err := add(payment); err != nil {
				return err
			}
		}
		return nil
	})
}

var exportKinds = map[sheet.Format]string{
	sheet.CSV:  "text/csv; charset=utf-8",
	sheet.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// paymentTable is the table of payments that people download.
func paymentTable(p locale.Printer) sheet.Table[*topup.Payment] {
	text := func(key string, width float64, of func(*topup.Payment) string) sheet.Column[*topup.Payment] {
		return sheet.TextColumn(p.Text(key), width, of)
	}
	return sheet.Table[*topup.Payment]{
		Name: p.Text("payments.title"), Zone: p.Zone,
		Columns: []sheet.Column[*topup.Payment]{
			sheet.TimeColumn(p.Text("field.created"), func(t *topup.Payment) time.Time { return t.CreatedAt }),
			text("field.payment_id", 34, func(t *topup.Payment) string { return t.ID }),
			text("field.status", 14, func(t *topup.Payment) string { return p.Text("status." + string(t.Status)) }),
			{Heading: p.Text("field.amount"), Width: 16, Of: func(t *topup.Payment) sheet.Value { return sheet.Amount(t.Money.Amount, t.Money.Currency) }},
			text("field.currency", 9, func(t *topup.Payment) string { return t.Money.Currency }),
			{Heading: p.Text("field.credited"), Width: 16, Of: func(t *topup.Payment) sheet.Value {
				if t.Credited == nil {
					return sheet.Value{}
				}
				return sheet.Amount(t.Credited.Money.Amount, t.Credited.Money.Currency)
			}},
			text("field.customer", 18, func(t *topup.Payment) string { return t.CustomerID }),
			text("field.contract", 26, func(t *topup.Payment) string { return t.ContractNumber }),
			text("field.contract_id", 14, func(t *topup.Payment) string { return t.ContractID }),
			text("field.provider", 12, func(t *topup.Payment) string { return providerName(t.Provider) }),
			text("field.project", 20, func(t *topup.Payment) string { return t.Project }),
			text("field.method", 18, func(t *topup.Payment) string { return t.Method }),
			text("field.receipt", 24, func(t *topup.Payment) string { return t.ProviderPaymentID }),
			text("field.operation", 20, func(t *topup.Payment) string { return t.OperationID }),
			text("field.reference", 26, func(t *topup.Payment) string { return t.ProviderReference }),
			text("field.flags", 24, func(t *topup.Payment) string {
				var words []string
				for _, name := range t.Flags.Names() {
					words = append(words, p.Text("flag."+name))
				}
				return strings.Join(words, "; ")
			}),
		},
	}
}
