package notify

import (
	"math/rand/v2"
	"time"
)

// Retention is how long notifications are kept that were delivered everywhere.
const Retention = 30 * 24 * time.Hour

// How long a delivery is tried for, counted from its first attempt.
const giveUpAfter = 72 * time.Hour

// delays are between an attempt that failed and the next one; the last one is
// used until giveUpAfter.
var delays = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}

// next is when to try again after so many attempts, the last of them now; ok is
// false when it is given up. Up to a tenth is added at random, so that what failed
// together does not come together again.
func next(attempts int64, first, now time.Time, random func() float64) (at time.Time, ok bool) {
	delay := delays[min(int(attempts), len(delays))-1]
	at = now.Add(delay + time.Duration(random()*float64(delay)/10))
	return at, !at.After(first.Add(giveUpAfter))
}

func random() float64 { return rand.Float64() }
