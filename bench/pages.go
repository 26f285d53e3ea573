//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"tolem/calendar"
	"tolem/platform"
	"tolem/store"
	"tolem/topup"
)

// The dashboard's pages, read beside callbacks.
const (
	pagesPayments  = 1_000_000
	pagesDays      = 30  // in which the payments were issued
	pagesCallbacks = 200 // a second, open loop
	pagesRead      = 10  // a second, open loop, by all people together
	pagesSuspense  = 40  // items in suspense: two pages
	pagesAmount    = "1234567.89"
	payoutID       = "bench-1"

	mostPage        = 100 * time.Millisecond // p99 of each page
	mostBesidePages = 1.2                    // of the p99 of callbacks that nobody reads beside
)

// adminToken signs in to the pages.
const adminToken = "bench-admin-token"

// tableOfPages reads every page of the dashboard again and again, beside callbacks
// at a fixed rate, alternating with as many callbacks that nobody reads beside.
func (b *bench) tableOfPages(ctx context.Context, reached goals) (notes []string, err error) {
	folder, remove, err := b.subfolder("pages")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	r := &rig{b: b, folder: folder, database: sqliteIn(folder, "tolem.db"), customers: loadedCustomers(pagesPayments)}
	if err := r.database.open(ctx, folder, r.customers); err != nil {
		return nil, fmt.Errorf("make a database: %w", err)
	}
	b.say("  loading %d payments", pagesPayments)
	if err := fill(ctx, r.database, pagesPayments, time.Now().AddDate(0, 0, -pagesDays), &r.said, func(int64) {}); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if err := r.payout(ctx); err != nil {
		return nil, fmt.Errorf("enter a payout: %w", err)
	}
	if err := r.readPages(ctx, reached); err != nil {
		return nil, err
	}
	note, err := r.said.compare(ctx, r.database)
	return []string{"pages: " + note}, err
}

// readPages serves the database and has its pages read.
func (r *rig) readPages(ctx context.Context, reached goals) (err error) {
	if err := r.serve(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.tolem.stop()) }()
	if err := r.strays(ctx, pagesSuspense); err != nil {
		return err
	}
	v, err := r.tolem.signIn(ctx)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	list, err := r.pages(ctx, v)
	if err != nil {
		return err
	}
	first := v.readEach(ctx, list)
	if err := first.err(); err != nil {
		return err
	}
	beside, ratios, err := r.readInTurns(ctx, v, list)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(beside.times)) {
		times := beside.times[name]
		p99 := percentile(times, .99)
		shown := fmt.Sprintf("p50 %s, p99 %s of %d; the first %s", millis(percentile(times, .5)), millis(p99), len(times), millis(first.times[name][0]))
		reached.atMost("page "+name+": p99 / 100 ms", shown, float64(p99)/float64(mostPage), 1)
	}
	reached.atMost(fmt.Sprintf("callbacks at %d/s beside %d pages/s: p99 / without readers", pagesCallbacks, pagesRead),
		fmt.Sprintf("p99 %s, %s without; in turns %s", millis(percentile(beside.callbacks, .99)), millis(percentile(beside.alone, .99)), hundredths(ratios)),
		median(ratios), mostBesidePages)
	return beside.err()
}

func hundredths(list []float64) string {
	var texts []string
	for _, n := range list {
		texts = append(texts, fmt.Sprintf("%.2f", n))
	}
	return strings.Join(texts, " ")
}

// payout enters a payout that names all payments of a day.
func (r *rig) payout(ctx context.Context) (err error) {
	s, err := store.Open(ctx, r.database.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	day := calendar.DayOf(time.Now().AddDate(0, 0, -pagesDays/2), time.UTC)
	p := store.NewPayout{
		Payout: topup.Payout{ID: payoutID, Provider: provider, Project: strconv.Itoa(project), Bank: "bench", Date: day.String(), Currency: currency},
		Day:    store.Day{Start: day.Start(time.UTC), End: day.End(time.UTC)},
		Bank:   topup.BankAccountOf{Name: "bench", Currency: currency},
	}
	f := store.PaymentFilter{Status: topup.StatusSucceeded, From: p.Day.Start, To: p.Day.End, Limit: 500}
	for more := true; more; more = f.Cursor != "" {
		var list []*topup.Payment
		if list, f.Cursor, err = s.Payments(ctx, f); err != nil {
			return err
		}
		for _, one := range list {
			p.Gross += one.Money.Amount
			p.Lines = append(p.Lines, topup.PayoutLine{Line: len(p.Lines) + 2, Type: topup.LinePayment, Payment: one.ID, Operation: one.OperationID, Amount: one.Money.Amount})
		}
	}
	p.Net = p.Gross
	if _, err = s.AddPayout(ctx, p, store.By{Actor: "bench"}); err != nil {
		return err
	}
	// A server has sealed each day as it ended; this one would catch up while it is measured.
	_, err = s.SealJournal(ctx)
	return err
}

// strays puts money into suspense, by callbacks about payments that nobody has
// issued.
func (r *rig) strays(ctx context.Context, n int) error {
	nth := 0
	requests, err := many(n, func() (*request, error) {
		nth++
		return r.sender.callback(fmt.Sprintf("elsewhere-%d", nth))
	})
	if err != nil {
		return err
	}
	done, err := bare{}.load(ctx, r.tolem.address, shape{connections: 1}, &list{left: requests})
	return errors.Join(err, done.clean())
}

// readings are what a visitor has read, and the callbacks meanwhile.
type readings struct {
	mu               sync.Mutex
	times            map[string][]time.Duration // by page
	failed           map[string]int
	callbacks, alone []time.Duration
}

func newReadings() *readings {
	return &readings{times: map[string][]time.Duration{}, failed: map[string]int{}}
}

func (r *readings) note(name string, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times[name] = append(r.times[name], took)
	if err != nil {
		r.failed[name+": "+err.Error()]++
	}
}

func (r *readings) err() error {
	if len(r.failed) == 0 {
		return nil
	}
	var all []string
	for what, n := range r.failed {
		all = append(all, fmt.Sprintf("%d × %s", n, what))
	}
	sort.Strings(all)
	return fmt.Errorf("pages that were not shown: %s", strings.Join(all, "; "))
}

// readInTurns posts callbacks at a fixed rate, alternately beside readers and
// without any, in changing order. The ratios are those of the p99 of callbacks.
func (r *rig) readInTurns(ctx context.Context, v *visitor, pages []shownPage) (all *readings, ratios []float64, err error) {
	all = newReadings()
	s := shape{connections: r.b.connections, duration: 5 * r.b.duration, rate: pagesCallbacks}
	if err := r.stock(ctx, int(s.rate*s.duration.Seconds())*2*r.b.turns()); err != nil {
		return nil, nil, err
	}
	next := 0 // page
	for turn := range r.b.turns() {
		r.b.say("  pages: turn %d of %d", turn+1, r.b.turns())
		var p99 [2]time.Duration
		for i := range 2 {
			reads := (i+turn)%2 == 0
			runtime.GC()
			time.Sleep(rest)
			reading, stop := context.WithCancel(ctx)
			var readers sync.WaitGroup
			if reads {
				readers.Go(func() { next = v.readEvenly(reading, pages, next, all) })
			}
			done, err := r.load(ctx, bare{}, platform.MessageCallback, s)
			stop()
			readers.Wait()
			if err := errors.Join(err, done.clean()); err != nil {
				return nil, nil, err
			}
			times := done.times()
			if reads {
				all.callbacks, p99[1] = append(all.callbacks, times...), percentile(times, .99)
			} else {
				all.alone, p99[0] = append(all.alone, times...), percentile(times, .99)
			}
		}
		ratios = append(ratios, float64(p99[1])/float64(p99[0]))
	}
	return all, ratios, nil
}

// visitor is somebody who has signed in at a browser.
type visitor struct {
	client *http.Client
	origin string
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (p *process) signIn(ctx context.Context) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{&http.Client{Jar: jar, Timeout: startTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}, "http://" + p.admin}
	form, err := v.get(ctx, "/login")
	if err != nil {
		return nil, err
	}
	csrf := csrfField.FindStringSubmatch(form)
	if csrf == nil {
		return nil, errors.New("the page has no form")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.origin+"/login", strings.NewReader(url.Values{"csrf": {csrf[1]}, "token": {adminToken}}.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = v.do(request)
	return v, err
}

// get reads a page to its end.
func (v *visitor) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.origin+path, nil)
	if err != nil {
		return "", err
	}
	return v.do(request)
}

func (v *visitor) do(request *http.Request) (text string, err error) {
	response, err := v.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP %d", response.StatusCode)
	}
	return string(body), err
}

// shownPage is a page that is read, with a text that must be on it.
type shownPage struct{ name, path, text string }

func (v *visitor) show(ctx context.Context, p shownPage) error {
	text, err := v.get(ctx, p.path)
	if err == nil && !strings.Contains(text, p.text) {
		err = fmt.Errorf("%q is not on it", p.text)
	}
	return err
}

// readEach reads every page once.
func (v *visitor) readEach(ctx context.Context, pages []shownPage) *readings {
	all := newReadings()
	for _, p := range pages {
		started := time.Now()
		err := v.show(ctx, p)
		all.note(p.name, time.Since(started), err)
	}
	return all
}

// readEvenly reads one page after the other, evenly spaced, whether or not earlier
// ones were answered, until the context ends. It returns which page is next.
func (v *visitor) readEvenly(ctx context.Context, pages []shownPage, next int, into *readings) int {
	const every = time.Second / pagesRead
	var open sync.WaitGroup
	defer open.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return next
		case <-tick.C:
		}
		p := pages[next%len(pages)]
		next++
		due := time.Now()
		open.Go(func() {
			err := v.show(context.WithoutCancel(ctx), p) // what has begun is read to its end
			into.note(p.name, time.Since(due), err)
		})
	}
}

// pages are those of the dashboard, with the searches that people make.
func (r *rig) pages(ctx context.Context, v *visitor) ([]shownPage, error) {
	db, err := r.database.connect()
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	// A payment in the middle of the book.
	var id, customer, number, receipt, operation string
	var amount, issued int64
	err = db.QueryRowContext(ctx, `SELECT payment_id, customer_id, contract_number, provider_payment_id, operation_id, amount, created_at
		FROM payments WHERE id >= ? AND status = 'succeeded' LIMIT 1`, pagesPayments/2).Scan(&id, &customer, &number, &receipt, &operation, &amount, &issued)
	if err != nil {
		return nil, fmt.Errorf("choose a payment: %w", err)
	}
	day := calendar.DayOf(time.UnixMicro(issued), time.UTC)
	sum := fmt.Sprintf("%d.%02d", amount/100, amount%100)
	q := func(pairs ...string) string {
		values := url.Values{"lang": {"ru"}}
		for i := 0; i+1 < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		return "?" + values.Encode()
	}
	search := func(pairs ...string) string { return "/payments" + q(pairs...) }
	list := []shownPage{
		{"overview", "/" + q(), "<main"},
		{"payments", search(), "p_"},
		{"payments by telephone", search("q", "+7 "+customer[:3]+" "+customer[3:6]+" "+customer[6:8]+" "+customer[8:]), "p_"},
		{"payments by contract number", search("q", number), id},
		{"payments by receipt", search("q", receipt), id},
		{"payments by operation", search("q", operation), id},
		{"payments by amount", search("amount", sum, "from", day.Add(-1).String(), "to", day.Add(1).String()), id},
		{"payments by amount that is not there", search("amount", pagesAmount), "note"},
		{"payments by status", search("status", string(topup.StatusDeclined)), "p_"},
		{"payments by day", search("from", day.String(), "to", day.String()), "p_"},
		{"payment", "/payments/" + id + q(), receipt},
		{"account", "/accounts/" + customer + q(), number},
		{"statement", "/accounts/" + customer + q("entity", contract, "from", day.Add(-pagesDays).String(), "to", day.Add(pagesDays).String()), number},
		{"suspense", "/suspense" + q(), "checkbox"},
		{"messages", "/messages" + q(), "<table"},
		{"payouts", "/payouts" + q(), "<main"},
		{"payout", "/payouts/" + payoutID + q(), payoutID},
		{"settlement", "/settlement" + q(), "<main"},
		{"reconcile", "/reconcile" + q(), "multipart"},
		{"events", "/events" + q(), "<main"},
		{"approvals", "/approvals" + q(), "<main"},
		{"audit", "/audit" + q(), "<main"},
	}
	return list, nil
}
