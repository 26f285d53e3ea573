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

// callbackBody is a success callback of the shape and size that JetPay sends.
const callbackBody = `{"project_id":1234,"payment":{"id":"%s","type":"purchase","status":"success","date":"2026-11-21T11:08:45+0000",` +
	`"method":"kaspi","sum":{"amount":10000,"currency":"KZT"},"description":""},"account":{"number":"1234567890"},` +
	`"customer":{"id":"customer_123"},"operation":{"id":%s,"type":"sale","status":"success","date":"2026-11-21T11:08:45+0000",` +
	`"created_date":"2026-11-21T11:08:05+0000","request_id":"9e32835fb27907e0b08569d7d150e387a16a80e336c5117242b5cf60a4e17839",` +
	`"sum_initial":{"amount":10000,"currency":"KZT"},"sum_converted":{"amount":10000,"currency":"KZT"},"code":"0",` +
	`"message":"Success","provider":{"id":12345,"payment_id":"123abc123-%s","auth_code":""}}}`

const secret = "demo-secret"

func benchSignature() error {
	key, err := signing.NewKey(secret)
	if err != nil {
		return err
	}
	body, err := signing.Embed(fmt.Appendf(nil, callbackBody, "p_01K9ZJ5W3V8Q4R7T2X6Y0ABCDE", "1234567890123", "1"), key)
	if err != nil {
		return err
	}
	parsed, err := signing.Parse(body)
	if err != nil {
		return err
	}
	canonical := []byte(parsed.Canonical())
	parsed.Release()
	if err := naiveVerify(body); err != nil {
		return fmt.Errorf("the naive implementation: %w", err)
	}

	mac := hmac.New(sha512.New, []byte(secret))
	digest := make([]byte, 0, sha512.Size)
	bare := measure(func() error {
		mac.Reset()
		mac.Write(canonical)
		digest = mac.Sum(digest[:0])
		return nil
	})
	ours := measure(func() error {
		b, err := signing.Parse(body)
		if err != nil {
			return err
		}
		defer b.Release()
		_, err = b.Verify(key)
		return err
	})
	naive := measure(func() error { return naiveVerify(body) })

	fmt.Printf("signature of a callback of %d bytes, %d of them in its canonical string\n", len(body), len(canonical))
	for _, m := range []struct {
		name   string
		result testing.BenchmarkResult
	}{{"bare HMAC-SHA-512 of the canonical string", bare}, {"parse, canonical string and verify", ours}, {"the same by decoding to a map and sorting", naive}} {
		took := float64(m.result.NsPerOp())
		fmt.Printf("  %-44s %9.2f µs   %6.2f × bare HMAC   %4d allocs\n", m.name, took/1000, took/float64(bare.NsPerOp()), m.result.AllocsPerOp())
	}
	fmt.Println()
	return nil
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
