package dashboard

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

const (
	// figuresFresh is how old the figures of a page may be without being read anew,
	// those that took long some more.
	// figuresWait is how long the overview waits for new ones before it shows older
	// ones; another page, whose menu has some of them, waits after a step alone.
	figuresFresh = 5 * time.Second
	figuresWait  = 60 * time.Millisecond
	// figuresTime bounds one reading.
	figuresTime = 30 * time.Second

	// chartDays is how many days the chart has.
	chartDays = 30
	// maxApprovals is up to how many proposals, and drafts of payouts, are counted.
	maxApprovals = 100

	// waitingLong is how long a payment may be pending before a person should look.
	waitingLong = 24 * time.Hour
)

// Sum is an amount of one currency, in minor units.
type Sum struct {
	Currency string
	Amount   int64
}

// Window is what happened in some days up to now.
type Window struct {
	Days     int64 // 1 is today
	Issued   int64 // payments
	Credited []Sum // to contracts, less what was taken back
	Declined int64 // of the issued ones, and so on
	Expired  int64
	Pending  int64
	Review   int64
}

// Succeeded are the payments of the window that succeeded.
func (w Window) Succeeded() int64 { return w.Issued - w.Declined - w.Expired - w.Pending - w.Review }

// DeclinedOrExpired are the payments of the window that came to nothing.
func (w Window) DeclinedOrExpired() int64 { return w.Declined + w.Expired }

// Final are the payments of the window that have come to an end.
func (w Window) Final() int64 { return w.Issued - w.Pending }

// DayTotal is what was credited on a day.
type DayTotal struct {
	Start  time.Time
	Sums   map[string]int64 // by currency, in minor units
	Counts map[string]int64 // how many credits
}

// ProjectBalance is the balance of a project's ledger account.
type ProjectBalance struct {
	Account string
	Sum     Sum
}

// Figures are the numbers of the overview, as they were at one time.
type Figures struct {
	At        time.Time
	Stats     store.Stats
	Oldest    time.Time // of the items in suspense, zero for none
	Waiting   int64     // payments that are pending for more than a day
	Drafts    int64     // payouts that are not booked, at most maxApprovals
	Failed    int64     // notifications that were given up
	Approvals int64     // proposals that wait for a second person, at most maxApprovals
	Windows   []Window
	Days      []DayTotal // the oldest first; today is the last
	Counting  bool       // the days are still being summed
	Owed      []ProjectBalance
	Suspense  []ProjectBalance
}

// Attention is how many things need a person.
func (f *Figures) Attention() int64 {
	s := f.Stats
	return s.OpenSuspense + s.Review + s.OpenUnreadable + s.OpenRefunds + s.OpenReversals + s.OpenConflicts + f.Waiting
}

// Messages is how many messages of a provider need a person.
func (f *Figures) Messages() int64 {
	return f.Stats.OpenUnreadable + f.Stats.OpenRefunds + f.Stats.OpenReversals + f.Stats.OpenConflicts
}

// figures reads the numbers of the overview in the background: a page waits at
// most a moment for new ones, and shows those of before when they take longer.
type figures struct {
	store *store.Store
	zone  *time.Location
	clock func() time.Time

	mu      sync.Mutex
	last    *Figures
	reading chan struct{} // closed when the reading under way ends; nil for none
	stale   bool
	took    time.Duration // the last reading

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	issued map[calendar.Day]int64 // of days that are over; of the reading under way alone
}

func newFigures(s *store.Store, zone *time.Location, clock func() time.Time) *figures {
	f := &figures{store: s, zone: zone, clock: clock}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

func (f *figures) close() {
	f.cancel()
	f.done.Wait()
}

// changed has the next page read the figures anew: somebody took a step.
func (f *figures) changed() {
	f.mu.Lock()
	f.stale = true
	f.mu.Unlock()
}

// now returns the figures; never nil. It waits a moment for new ones if the caller
// wants that, or a step was taken.
func (f *figures) now(ctx context.Context, wait bool) *Figures {
	f.mu.Lock()
	last := f.last
	wait = wait || last == nil || f.stale
	if last != nil && !f.stale && f.clock().Sub(last.At).Abs() < keptFor(f.took, figuresFresh) {
		f.mu.Unlock()
		return last
	}
	if f.reading == nil && f.ctx.Err() == nil {
		f.reading, f.stale = make(chan struct{}), false
		f.done.Add(1)
		go f.read(f.reading)
	}
	reading := f.reading
	f.mu.Unlock()
	if reading != nil && wait {
		moment := time.NewTimer(figuresWait)
		defer moment.Stop()
		select {
		case <-reading:
		case <-moment.C:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return &Figures{At: f.clock(), Counting: true}
	}
	return f.last
}

// read reads the figures once. When it fails, those of before stay.
func (f *figures) read(ended chan struct{}) {
	defer f.done.Done()
	ctx, cancel := context.WithTimeout(f.ctx, figuresTime)
	defer cancel()
	began := f.clock()
	publish := func(fresh *Figures) {
		f.mu.Lock()
		f.last = fresh
		f.mu.Unlock()
	}
	if f.issued == nil { // the journal may take a while; what needs a person is known at once
		f.issued = map[calendar.Day]int64{}
		if fresh, err := f.collect(ctx, false); err == nil {
			publish(fresh)
		}
	}
	if fresh, err := f.collect(ctx, true); err == nil {
		publish(fresh)
	}
	f.mu.Lock()
	f.reading, f.took = nil, f.clock().Sub(began)
	f.mu.Unlock()
	close(ended)
}

// collect reads the figures; summed tells to sum the journal too.
func (f *figures) collect(ctx context.Context, summed bool) (*Figures, error) {
	now := f.clock()
	out := &Figures{At: now}
	var err error
	if out.Stats, err = f.store.Stats(ctx); err != nil {
		return nil, err
	}
	if out.Stats.OpenSuspense > 0 {
		items, err := f.store.SuspenseItems(ctx, store.SuspenseFilter{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			out.Oldest = items[0].RecordedAt
		}
	}
	if !out.Stats.OldestPending.IsZero() && now.Sub(out.Stats.OldestPending) > waitingLong {
		if out.Waiting, err = f.store.PendingBefore(ctx, now.Add(-waitingLong)); err != nil {
			return nil, err
		}
	}
	open, _, err := f.store.Approvals(ctx, store.ApprovalFilter{Open: true, Limit: maxApprovals})
	if err != nil {
		return nil, err
	}
	out.Approvals = int64(len(open))
	drafts, _, err := f.store.Payouts(ctx, store.PayoutFilter{State: topup.PayoutDraft, Limit: maxApprovals})
	if err != nil {
		return nil, err
	}
	out.Drafts = int64(len(drafts))
	endpoints, err := f.store.EventStats(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range endpoints {
		out.Failed += e.Failed
	}
	if out.Owed, err = f.balances(ctx, "settlement:", 1); err != nil {
		return nil, err
	}
	if out.Suspense, err = f.balances(ctx, "suspense:", -1); err != nil {
		return nil, err
	}
	today := calendar.DayOf(now, f.zone)
	out.Days = make([]DayTotal, chartDays)
	for n := range out.Days {
		out.Days[n] = DayTotal{Start: today.Add(n + 1 - chartDays).Start(f.zone), Sums: map[string]int64{}, Counts: map[string]int64{}}
	}
	if out.Counting = !summed; summed {
		if err := f.sum(ctx, today, out.Days); err != nil {
			return nil, err
		}
	}
	for _, n := range []int{1, 7, 30} {
		w, err := f.window(ctx, today, n, out.Days)
		if err != nil {
			return nil, err
		}
		out.Windows = append(out.Windows, w)
	}
	return out, nil
}

// balances are the ledger accounts with a prefix, of which there is one for each
// project and currency. sign is 1 where a debit is what we have.
func (f *figures) balances(ctx context.Context, prefix string, sign int64) ([]ProjectBalance, error) {
	found, err := f.store.Balances(ctx, store.BalanceFilter{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	var list []ProjectBalance
	for _, b := range found.Accounts {
		list = append(list, ProjectBalance{b.Account, Sum{b.Currency, sign * (b.Debits - b.Credits)}})
	}
	return list, nil
}

// sum reads what was credited on each of the days up to today.
func (f *figures) sum(ctx context.Context, today calendar.Day, days []DayTotal) error {
	for day := range f.issued {
		if day.Before(today.Add(1 - chartDays)) {
			delete(f.issued, day)
		}
	}
	q := store.TurnoverQuery{By: []store.Dimension{store.ByDay}, From: today.Add(1 - chartDays), To: today, Zone: f.zone}
	return f.store.Turnover(ctx, q, func(t store.Turnover) error {
		for n := range days {
			if calendar.DayOf(days[n].Start, f.zone) == t.Day {
				days[n].Sums[t.Currency] = t.Credited - t.Refunded
				days[n].Counts[t.Currency] = t.Count
			}
		}
		return nil
	})
}

// window counts the payments of some days up to now. Those of a day that is over
// are counted once.
func (f *figures) window(ctx context.Context, today calendar.Day, days int, totals []DayTotal) (Window, error) {
	w := Window{Days: int64(days)}
	for n := range days {
		day := today.Add(-n)
		issued, counted := f.issued[day]
		if !counted {
			var err error
			if issued, err = f.store.IssuedBetween(ctx, day.Start(f.zone), day.End(f.zone)); err != nil {
				return w, err
			}
			if n > 0 {
				f.issued[day] = issued
			}
		}
		w.Issued += issued
	}
	open, err := f.store.UnsettledSince(ctx, today.Add(1-days).Start(f.zone))
	if err != nil {
		return w, err
	}
	w.Declined, w.Expired = open[topup.StatusDeclined], open[topup.StatusExpired]
	w.Pending, w.Review = open[topup.StatusPending], open[topup.StatusReview]
	sums := map[string]int64{}
	for _, day := range totals[len(totals)-days:] {
		for currency, amount := range day.Sums {
			if sums[currency], err = topup.Add(sums[currency], amount); err != nil {
				return w, err
			}
		}
	}
	for currency, amount := range sums {
		w.Credited = append(w.Credited, Sum{currency, amount})
	}
	slices.SortFunc(w.Credited, func(a, b Sum) int { return strings.Compare(a.Currency, b.Currency) })
	return w, nil
}
