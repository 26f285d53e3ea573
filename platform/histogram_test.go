package platform

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestABucketHoldsItsValuesToOneInSixtyFour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "v")
		highest := top(bucketOf(v))
		if highest < v || highest-v > v/subBuckets {
			t.Fatalf("%d is taken for %d", v, highest)
		}
		if v > 0 && bucketOf(v-1) > bucketOf(v) {
			t.Fatalf("%d comes before its predecessor", v)
		}
	})
}

func TestPercentilesOfAHundred(t *testing.T) {
	var h histogram
	if h.latency() != (Latency{}) {
		t.Error("nothing has no latency")
	}
	for i := range 100 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	h.add(-time.Second)
	l := h.latency()
	near := func(got, want time.Duration) bool { return got >= want && got-want <= want/subBuckets }
	if l.Count != 101 || !near(l.P50, 50*time.Millisecond) || !near(l.P99, 99*time.Millisecond) || l.Max != 100*time.Millisecond {
		t.Errorf("got %+v", l)
	}
}
