package billing

import (
	"sync"
	"time"
)

// maxRecent bounds the answers that are remembered of one interval.
const maxRecent = 50_000

// recent remembers billing's answers for keep, so that a check_deposit after its
// verify does not ask again. It holds those of two intervals of keep at most.
type recent struct {
	keep time.Duration

	mu      sync.Mutex
	since   time.Time // when now was begun
	now     map[string]answer
	earlier map[string]answer
}

// answer is nil for an account that is in the store.
type answer struct {
	at  time.Time
	err error
}

func (r *recent) get(customerID string, at time.Time) (known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, known := r.now[customerID]
	if !known {
		a, known = r.earlier[customerID]
	}
	if age := at.Sub(a.at); !known || age < 0 || age >= r.keep {
		return false, nil
	}
	return true, a.err
}

func (r *recent) put(customerID string, at time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || at.Sub(r.since) >= r.keep {
		r.earlier, r.now, r.since = r.now, make(map[string]answer), at
	}
	if len(r.now) < maxRecent {
		r.now[customerID] = answer{at, err}
	}
}
