package billing

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestRecent(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	t.Run("AnAnswerIsUsedForAsLongAsIsSaid", func(t *testing.T) {
		r := recent{keep: 5 * time.Second}
		refused := errors.New("refused")
		r.put("a", start, nil)
		r.put("b", start.Add(4*time.Second), refused)
		for _, c := range []struct {
			id    string
			after time.Duration
			known bool
			err   error
		}{
			{"a", 0, true, nil},
			{"a", 5*time.Second - 1, true, nil},
			{"a", 5 * time.Second, false, nil},
			{"a", -1, false, nil}, // the clock was set back
			{"b", 8 * time.Second, true, refused},
			{"b", 9 * time.Second, false, nil},
			{"c", 0, false, nil},
		} {
			if known, err := r.get(c.id, start.Add(c.after)); known != c.known || err != c.err {
				t.Errorf("%s after %v: got %v, %v, want %v, %v", c.id, c.after, known, err, c.known, c.err)
			}
		}
	})
	t.Run("MemoryIsBounded", func(t *testing.T) {
		r := recent{keep: time.Second}
		for i := range 3 * maxRecent {
			r.put(fmt.Sprint(i), start.Add(time.Duration(i)*10*time.Microsecond), nil)
		}
		if len(r.now) > maxRecent || len(r.earlier) > maxRecent {
			t.Errorf("holds %d and %d answers, want at most %d each", len(r.now), len(r.earlier), maxRecent)
		}
	})
	t.Run("NothingIsKeptIfNothingIsToBe", func(t *testing.T) {
		r := recent{}
		r.put("a", start, nil)
		if known, _ := r.get("a", start); known {
			t.Error("known")
		}
	})
}
