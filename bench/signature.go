//go:build linux

package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tolem/signing"
)

// mostOverHMAC is the goal: how many times the bare HMAC of the same bytes the
// canonical string and its verification may take.
const mostOverHMAC = 2

// tableOfSignature measures what proves that a callback is authentic.
func (b *bench) tableOfSignature(limits *grid, reached goals) error {
	s, err := newSender("", b.customers)
	if err != nil {
		return err
	}
	message, err := s.callback("p_01K9ZJ5W3V8Q4R7T2X6Y0ABCDE")
	if err != nil {
		return err
	}
	parsed, err := signing.Parse(message.body)
	if err != nil {
		return err
	}
	canonical := []byte(parsed.Canonical())
	parsed.Release()
	if err := naiveVerify(message.body); err != nil {
		return fmt.Errorf("the naive implementation: %w", err)
	}

	mac := hmac.New(sha512.New, []byte(secret))
	digest := make([]byte, 0, sha512.Size)
	var bare, own, naive []float64
	var allocations int64
	for range b.rounds {
		bare = append(bare, nanoseconds(measure(func() error {
			mac.Reset()
			mac.Write(canonical)
			digest = mac.Sum(digest[:0])
			return nil
		})))
		result := measure(func() error {
			body, err := signing.Parse(message.body)
			if err != nil {
				return err
			}
			defer body.Release()
			_, err = body.Verify(s.project.Key)
			return err
		})
		own, allocations = append(own, nanoseconds(result)), result.AllocsPerOp()
		naive = append(naive, nanoseconds(measure(func() error { return naiveVerify(message.body) })))
	}
	micros := func(list []float64) string { return fmt.Sprintf("%.2f µs", median(list)/1000) }
	limits.row(fmt.Sprintf("bare HMAC-SHA-512 of a callback's canonical string, %d bytes", len(canonical)), micros(bare), "")
	reached.atMost(fmt.Sprintf("canonical string + verification, %d bytes / bare HMAC", len(message.body)),
		fmt.Sprintf("%s; by decoding to a map and sorting %s", micros(own), micros(naive)), median(ratios(own, bare)), mostOverHMAC)
	reached.atMost("allocations of it", "", float64(allocations), 0)
	return nil
}

func nanoseconds(r testing.BenchmarkResult) float64 { return float64(r.T.Nanoseconds()) / float64(r.N) }

// ratios divides figures by those of the same round.
func ratios(list, by []float64) []float64 {
	all := make([]float64, len(list))
	for i := range list {
		all[i] = list[i] / by[i]
	}
	return all
}

func measure(fn func() error) testing.BenchmarkResult {
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := fn(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// naiveVerify is how the scheme is usually implemented: decode into maps, walk
// them, sort, join. It is here to be compared with, and right on this body only.
func naiveVerify(body []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var message map[string]any
	if err := decoder.Decode(&message); err != nil {
		return err
	}
	given, _ := message["signature"].(string)
	var lines []string
	naiveLines("", message, &lines)
	slices.SortFunc(lines, cmp.Compare)
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(strings.Join(lines, ";")))
	if base64.StdEncoding.EncodeToString(mac.Sum(nil)) != given {
		return signing.ErrNoValidSignature
	}
	return nil
}

func naiveLines(path string, value any, lines *[]string) {
	under := func(name string) string {
		if path == "" {
			return name
		}
		return path + ":" + name
	}
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if name != "signature" {
				naiveLines(under(name), member, lines)
			}
		}
	case []any:
		for i, member := range v {
			naiveLines(under(strconv.Itoa(i)), member, lines)
		}
	case nil:
		*lines = append(*lines, path+":")
	case bool:
		*lines = append(*lines, path+":"+map[bool]string{true: "1", false: "0"}[v])
	default:
		*lines = append(*lines, fmt.Sprint(path, ":", v))
	}
}
