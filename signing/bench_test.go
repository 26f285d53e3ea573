package signing_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tolem/signing"
)

// callback is the seed page's callback as the platform posts it, signed.
func callback(b testing.TB) ([]byte, *signing.Key) {
	b.Helper()
	for _, v := range publishedVectors(b) {
		if v.Name != "KASPI callback success" {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, v.Body); err != nil {
			b.Fatal(err)
		}
		key := mustKey(b, v.Secret)
		signed, err := signing.Embed(compact.Bytes(), key)
		if err != nil {
			b.Fatal(err)
		}
		return signed, key
	}
	b.Fatal("no callback among the vectors")
	return nil, nil
}

// BenchmarkVerify is everything between the bytes of a callback and "it is
// authentic". The goal is at most twice the bare HMAC, measured in the same
// run, without allocating.
func BenchmarkVerify(b *testing.B) {
	signed, key := callback(b)
	b.Cleanup(func() {
		verify := float64(b.Elapsed()) / float64(b.N)
		b.ReportMetric(verify/bareHMAC(b, signed, max(b.N, 1000)), "×bare-HMAC")
	})
	b.ReportAllocs()
	b.SetBytes(int64(len(signed)))
	for b.Loop() {
		body, err := signing.Parse(signed)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := body.Verify(key); err != nil {
			b.Fatal(err)
		}
		body.Release()
	}
}

// BenchmarkParse is BenchmarkVerify without the signature.
func BenchmarkParse(b *testing.B) {
	signed, _ := callback(b)
	b.ReportAllocs()
	for b.Loop() {
		body, err := signing.Parse(signed)
		if err != nil {
			b.Fatal(err)
		}
		body.Release()
	}
}

// BenchmarkLookup reads the fields of a callback that decide about money.
func BenchmarkLookup(b *testing.B) {
	signed, _ := callback(b)
	body, err := signing.Parse(signed)
	if err != nil {
		b.Fatal(err)
	}
	defer body.Release()
	paths := []string{
		"project_id", "payment:id", "payment:status", "payment:method", "payment:sum:amount", "payment:sum:currency",
		"operation:id", "operation:type", "operation:status", "operation:date", "operation:code",
		"operation:sum_initial:amount", "operation:sum_initial:currency",
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, path := range paths {
			if !body.Has(path) {
				b.Fatal("not found:", path)
			}
		}
	}
}

// BenchmarkBareHMAC is the yardstick: HMAC-SHA-512 of the same bytes, with a
// state that is used again, so that the key is not hashed anew.
func BenchmarkBareHMAC(b *testing.B) {
	signed, _ := callback(b)
	message := []byte(mustParse(b, string(signed)).Canonical())
	mac := hmac.New(sha512.New, []byte("secret"))
	sum := make([]byte, 0, sha512.Size)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		mac.Reset()
		mac.Write(message)
		sum = mac.Sum(sum[:0])
	}
}

// bareHMAC is the time in nanoseconds of what BenchmarkBareHMAC measures.
func bareHMAC(b *testing.B, signed []byte, times int) float64 {
	message := []byte(mustParse(b, string(signed)).Canonical())
	mac := hmac.New(sha512.New, []byte("secret"))
	sum := make([]byte, 0, sha512.Size)
	start := time.Now()
	for range times {
		mac.Reset()
		mac.Write(message)
		sum = mac.Sum(sum[:0])
	}
	return float64(time.Since(start)) / float64(times)
}

// BenchmarkVerifyNaive is the way most integrations do it: decode into maps,
// flatten, sort, hash.
func BenchmarkVerifyNaive(b *testing.B) {
	signed, _ := callback(b)
	b.ReportAllocs()
	for b.Loop() {
		if !naiveVerify(signed, hmac.New(sha512.New, []byte("secret"))) {
			b.Fatal("the naive implementation refuses the callback")
		}
	}
}

func naiveVerify(data []byte, mac hash.Hash) bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree map[string]any
	if decoder.Decode(&tree) != nil {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(tree["signature"].(string))
	if err != nil {
		return false
	}
	var lines []string
	naiveFlatten(&lines, "", tree)
	slices.Sort(lines)
	mac.Write([]byte(strings.Join(lines, ";")))
	return hmac.Equal(mac.Sum(nil), want)
}

func naiveFlatten(lines *[]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if name != "signature" && name != "frame_mode" {
				naiveFlatten(lines, path+strings.ReplaceAll(name, ":", "::")+":", member)
			}
		}
	case []any:
		for i, element := range v {
			naiveFlatten(lines, path+strconv.Itoa(i)+":", element)
		}
	case string:
		*lines = append(*lines, path+v)
	case json.Number:
		*lines = append(*lines, path+v.String())
	case bool:
		*lines = append(*lines, path+map[bool]string{true: "1", false: "0"}[v])
	default:
		*lines = append(*lines, path)
	}
}
