package handlers

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// getConfig answers with what the server runs with, secrets hidden: the file and
// the variables may have changed since it started.
func (s *Server) getConfig(c echo.Context) error {
	effective, err := c.(*exchange).settings.config.Effective()
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, map[string]string{"configuration": string(effective)})
}

// getAccount answers with an account, what has been credited to each of its
// contracts, and what is known of how it became so.
func (s *Server) getAccount(c echo.Context) error {
	x := c.(*exchange)
	ctx, cancel := x.deadline()
	defer cancel()
	customerID, err := pathParam(c, "customer_id")
	if err != nil {
		return err
	}
	account, err := s.store.Account(ctx, customerID)
	if err != nil {
		return err
	}
	balances, err := s.store.ContractBalances(ctx, account.CustomerID)
	if err != nil {
		return err
	}
	history, err := s.store.AccountHistory(ctx, account.CustomerID)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, view.AccountOf(account, balances).WithHistory(history))
}

// putAccount creates or replaces an account.
func (s *Server) putAccount(c echo.Context) error {
	x := c.(*exchange)
	customerID, err := pathParam(c, "customer_id")
	if err != nil {
		return err
	}
	if err := x.readBody(nil); err != nil {
		return err
	}
	account, err := s.recordOf(x.body, customerID)
	if err != nil {
		return err
	}
	ctx, cancel := x.deadline()
	defer cancel()
	created, err := s.store.PutAccountBy(ctx, account, x.client)
	if err != nil {
		return err
	}
	stored, err := s.store.Account(ctx, customerID)
	if err != nil {
		return err
	}
	balances, err := s.store.ContractBalances(ctx, customerID)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return writeJSON(c, status, view.AccountOf(stored, balances))
}

// recordOf reads the account record of a PUT. The path names the customer; the
// body may repeat it.
func (s *Server) recordOf(body []byte, customerID string) (*topup.Account, error) {
	if !json.Valid(body) {
		return nil, &notJSON{"the body must be one JSON object: an account record"}
	}
	account, problems := topup.ParseRecord(body)
	if len(problems) > 0 {
		return nil, brokenRules(problems)
	}
	customerID = s.normalize.Apply(customerID)
	if account.CustomerID != "" && s.normalize.Apply(account.CustomerID) != customerID {
		return nil, topup.Invalid("customer_id", "must be the one in the path, or be left out")
	}
	account.CustomerID = customerID
	return &account, nil
}

// getPayment answers with a payment, its ledger transactions and its timeline.
func (s *Server) getPayment(c echo.Context) error {
	x := c.(*exchange)
	ctx, cancel := x.deadline()
	defer cancel()
	paymentID, err := pathParam(c, "payment_id")
	if err != nil {
		return err
	}
	payment, err := s.store.Payment(ctx, paymentID)
	if err != nil {
		return err
	}
	x.paymentID = payment.ID
	timeline, err := s.store.Timeline(ctx, payment)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, view.WholePaymentOf(payment, timeline))
}

// listPayments answers with a page of payments, newest first.
func (s *Server) listPayments(c echo.Context) error {
	q := queryOf(c, "status", "flag", "customer_id", "q", "amount", "from", "to", "limit", "cursor")
	filter := store.PaymentFilter{
		CustomerID: q.text("customer_id"),
		Q:          q.text("q"),
		Amount:     q.number("amount", 1, topup.MaxAmount),
		From:       q.time("from", s.zone, calendar.Day.Start),
		To:         q.time("to", s.zone, calendar.Day.End),
		Limit:      int(q.number("limit", 1, maxPage)),
		Cursor:     q.text("cursor"),
	}
	var err error
	if text := q.text("status"); text != "" {
		filter.Status, err = topup.ParseStatus(text)
		q.report(err)
	}
	if text := q.text("flag"); text != "" {
		filter.Flag, err = topup.ParseFlag(text)
		q.report(err)
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	payments, next, err := s.store.Payments(ctx, filter)
	if err != nil {
		return err
	}
	page := paymentPage{Payments: make([]view.Payment, 0, len(payments)), NextCursor: orNull(next)}
	for _, p := range payments {
		page.Payments = append(page.Payments, view.PaymentOf(p))
	}
	return writeJSON(c, http.StatusOK, page)
}

// ledgerBalances answers with the running totals of ledger accounts.
func (s *Server) ledgerBalances(c echo.Context) error {
	q := queryOf(c, "prefix", "limit", "cursor")
	filter := store.BalanceFilter{
		Prefix: q.text("prefix"),
		Limit:  int(q.number("limit", 1, maxFeed)),
		Cursor: q.text("cursor"),
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	found, err := s.store.Balances(ctx, filter)
	if err != nil {
		return err
	}
	page := balancePage{Accounts: make([]view.Balance, 0, len(found.Accounts)), NextCursor: orNull(found.Next), Total: found.Total}
	if page.Total == nil {
		page.Total = map[string]int64{}
	}
	for _, b := range found.Accounts {
		page.Accounts = append(page.Accounts, view.Balance(b))
	}
	return writeJSON(c, http.StatusOK, page)
}

// ledgerTransactions is the feed: what follows a place in it, in commit order. It
// waits for it if it is asked to.
func (s *Server) ledgerTransactions(c echo.Context) error {
	q := queryOf(c, "after", "limit", "wait")
	after, limit, wait := q.number("after", 0, 1<<62), int(q.number("limit", 1, maxFeed)), q.wait("wait")
	if len(q.problems) > 0 {
		return q.problems
	}
	if wait > 0 {
		allowWait(c, wait)
		if err := s.await(c.Request().Context(), after, wait); err != nil {
			return err
		}
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	transactions, err := s.store.Transactions(ctx, after, limit)
	if err != nil {
		return err
	}
	page := transactionPage{Transactions: make([]view.Transaction, 0, len(transactions))}
	for _, t := range transactions {
		page.Transactions = append(page.Transactions, view.TransactionOf(t))
	}
	return writeJSON(c, http.StatusOK, page)
}

// The sizes of pages.
const (
	defaultPage = 50
	maxPage     = 500  // payments, suspense items, messages
	maxFeed     = 1000 // ledger accounts and transactions
)

// pathParam returns a path parameter, unescaped exactly once. Echo routes on
// the path as it was sent only when that is not its usual spelling, and on the
// unescaped one otherwise.
func pathParam(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value, nil
	}
	unescaped, err := url.PathUnescape(value)
	if err != nil {
		return "", topup.Invalid(name, "has a broken %% escape")
	}
	return unescaped, nil
}

// query reads the parameters of a request and collects what is wrong with
// them. A parameter that we do not know is a problem, and so is an empty one: a
// misspelt filter, or one whose value a script has lost, would show everything.
type query struct {
	values   url.Values
	problems brokenRules
}

func queryOf(c echo.Context, known ...string) *query {
	q := &query{}
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		q.report(topup.Invalid("query", "has a broken %% escape"))
	}
	q.values = values
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		switch {
		case len(q.problems) == maxProblems:
			return q
		case !slices.Contains(known, name):
			q.report(topup.Invalid(shownParameter(name), "is not a known parameter; known are %s", strings.Join(known, ", ")))
		case len(given) > 1:
			q.report(topup.Invalid(name, "must be given once"))
		case strings.TrimSpace(given[0]) == "":
			q.report(topup.Invalid(name, "must not be empty; leave it out to select by something else"))
			delete(values, name)
		}
	}
	return q
}

func (q *query) report(err error) {
	if err != nil {
		q.problems = append(q.problems, err)
	}
}

// shownParameter is a name from outside, which is repeated only if it is plain.
func shownParameter(name string) string {
	if !plainField.MatchString(name) {
		return "query"
	}
	return name
}

// truth returns a parameter that is true or false, false if it is not given.
func (q *query) truth(name string) bool {
	switch q.text(name) {
	case "", "false":
		return false
	case "true":
		return true
	}
	q.report(topup.Invalid(name, "must be true or false"))
	return false
}

// text returns a parameter, empty if it is not given.
func (q *query) text(name string) string { return q.values.Get(name) }

// number returns a whole number within bounds, 0 if it is not given.
func (q *query) number(name string, least, most int64) int64 {
	text := q.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.report(topup.Invalid(name, "must be a whole number from %d to %d", least, most))
		return 0
	}
	return n
}

// time returns a time, the zero time if it is not given. A date is the edge of
// that day in the zone, its start or its end.
func (q *query) time(name string, zone *time.Location, edge func(calendar.Day, *time.Location) time.Time) time.Time {
	text := q.text(name)
	if text == "" {
		return time.Time{}
	}
	if day, err := calendar.ParseDay(text); err == nil {
		return edge(day, zone).UTC()
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.report(topup.Invalid(name, "must be a day such as 2026-01-31, or a time such as 2026-01-31T00:00:00Z, with + written as %%2B"))
		return time.Time{}
	}
	return at.UTC()
}

// writeJSON writes an answer of the admin API. Nothing is escaped for HTML, so
// that an info object comes out as it went in.
func writeJSON(c echo.Context, status int, value any) error {
	data, err := marshal(value)
	if err != nil {
		return errors.Join(errors.New("encode the answer"), err)
	}
	return c.Blob(status, echo.MIMEApplicationJSON, data)
}
