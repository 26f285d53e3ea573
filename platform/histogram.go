package platform

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1/64 wide of what
// they hold, so that a load of any length needs the same memory.
type histogram struct {
	buckets [64 * subBuckets]int
	count   int
	max     time.Duration
}

const (
	subBits    = 6
	subBuckets = 1 << subBits
)

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(uint64(d))]++
	h.count++
	h.max = max(h.max, d)
}

// bucketOf keeps the first six bits after the leading one.
func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	exponent := bits.Len64(v) - 1 - subBits
	return (exponent+1)*subBuckets + int(v>>exponent) - subBuckets
}

// top is the greatest value of a bucket.
func top(bucket int) uint64 {
	if bucket < subBuckets {
		return uint64(bucket)
	}
	exponent := bucket/subBuckets - 1
	return (uint64(subBuckets+bucket%subBuckets)+1)<<exponent - 1
}

// percentile is a duration that the given part of all, in percent, does not
// exceed.
func (h *histogram) percentile(percent int) time.Duration {
	rank := (h.count*percent + 99) / 100
	for bucket, n := range h.buckets {
		if rank -= n; rank <= 0 {
			return min(time.Duration(top(bucket)), h.max)
		}
	}
	return h.max
}

func (h *histogram) latency() Latency {
	if h.count == 0 {
		return Latency{}
	}
	return Latency{Count: h.count, P50: h.percentile(50), P99: h.percentile(99), Max: h.max}
}
