package topup_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tolem/topup"
)

const sampleRecord = `{"customer_id":"7123456789","additional_customer_id":"ABCDE12345","currency":"KZT","entities":[
	{"id":"12345","number":"1234_ABC/01-01-2025/Abcdef12","min_payment":100000,"payment":100000,"info":{"total_debt":500000}},
	{"id":"67890","number":"n","closed":true}],"closed":false}`

func ptr(n int64) *int64 { return &n }

func TestARecordIsDecodedAsItStands(t *testing.T) {
	got, problems := topup.ParseRecord([]byte(sampleRecord))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := topup.Account{
		CustomerID: "7123456789", AdditionalCustomerID: "ABCDE12345", Currency: "KZT",
		Contracts: []topup.Contract{
			{ID: "12345", Number: "1234_ABC/01-01-2025/Abcdef12", Payment: ptr(100000), MinPayment: ptr(100000), Info: []byte(`{"total_debt":500000}`)},
			{ID: "67890", Number: "n", Closed: true},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if problems := got.Check(); len(problems) > 0 {
		t.Errorf("check: %v", problems)
	}
}

// edited is the sample record with one thing changed.
func edited(old, new string) string { return strings.Replace(sampleRecord, old, new, 1) }

func TestARecordIsRefusedWithTheFieldThatIsWrong(t *testing.T) {
	const noInteger = "must be an integer number of minor units, without fraction or exponent"
	const integer = "must be an integer number of minor units"
	for name, test := range map[string]struct{ record, want string }{
		"number as id":       {edited(`"7123456789"`, `7123456789`), "customer_id must be a string"},
		"null":               {edited(`"KZT"`, `null`), "currency must be a string"},
		"null amount":        {edited(`"payment":100000`, `"payment":null`), "entities[0].payment " + integer},
		"fraction":           {edited(`"payment":100000`, `"payment":100000.0`), "entities[0].payment " + noInteger},
		"exponent":           {edited(`"payment":100000`, `"payment":1e5`), "entities[0].payment " + noInteger},
		"text amount":        {edited(`"payment":100000`, `"payment":"100000"`), "entities[0].payment " + integer},
		"minus zero":         {edited(`"payment":100000`, `"payment":-0`), "entities[0].payment " + noInteger},
		"too large":          {edited(`"payment":100000`, `"payment":9223372036854775808`), "entities[0].payment " + noInteger},
		"closed as text":     {edited(`"closed":true`, `"closed":"yes"`), "entities[1].closed must be true or false"},
		"closed as number":   {edited(`"closed":false`, `"closed":1`), "closed must be true or false"},
		"info list":          {edited(`{"total_debt":500000}`, `[1]`), "entities[0].info must be a JSON object"},
		"info too deep":      {edited(`500000`, strings.Repeat("[", 24)+strings.Repeat("]", 24)), "entities[0].info must not be nested deeper than 24 levels"},
		"info names twice":   {edited(`"total_debt":500000`, `"a":1,"a":2`), "entities[0].info.a must not appear twice"},
		"entities object":    {`{"entities":{}}`, "entities must be a list"},
		"entity not object":  {`{"entities":["e1"]}`, "entities[0] must be a JSON object"},
		"unknown member":     {edited(`"number":"n"`, `"number":"n","debt":{"a":[1]}`), "entities[1].debt is not a member of an account record"},
		"member's case":      {edited(`"currency"`, `"Currency"`), "Currency is not a member of an account record"},
		"strange member":     {edited(`"currency"`, `"кто\n`+strings.Repeat("x", 90)+`"`), `"\u043a\u0442\u043e\nxxxxxxxxxxxxxxxxxxx..." is not a member of an account record`},
		"plain member":       {edited(`"currency"`, `"azAZ_09"`), "azAZ_09 is not a member of an account record"},
		"longest member":     {edited(`"currency"`, `"`+strings.Repeat("x", 40)+`"`), strings.Repeat("x", 40) + " is not a member of an account record"},
		"member too long":    {edited(`"currency"`, `"`+strings.Repeat("x", 41)+`"`), `"` + strings.Repeat("x", 39) + `..." is not a member of an account record`},
		"quoted in full":     {edited(`"currency"`, `"`+strings.Repeat("-", 38)+`"`), `"` + strings.Repeat("-", 38) + `" is not a member of an account record`},
		"quoted and cut":     {edited(`"currency"`, `"`+strings.Repeat("-", 39)+`"`), `"` + strings.Repeat("-", 39) + `..." is not a member of an account record`},
		"empty member":       {edited(`"currency"`, `""`), `"" is not a member of an account record`},
		"behind 9":           {edited(`"currency"`, `"a:"`), `"a:" is not a member of an account record`},
		"before 0":           {edited(`"currency"`, `"a/"`), `"a/" is not a member of an account record`},
		"behind z":           {edited(`"currency"`, `"a{"`), `"a{" is not a member of an account record`},
		"before a":           {edited(`"currency"`, "\"a`\""), "\"a`\" is not a member of an account record"},
		"twice in a list":    {`[{"a":1,"a":2}]`, "0.a must not appear twice"},
		"member twice":       {edited(`"currency":"KZT"`, `"currency":"KZT","currency":"KZT"`), "currency must not appear twice"},
		"entity twice":       {edited(`"number":"n"`, `"number":"n","number":"n"`), "entities[1].number must not appear twice"},
		"not an object":      {`["a"]`, "record must be a JSON object"},
		"not JSON":           {`hello`, "record is not valid JSON, at byte 1"},
		"empty":              {``, "record must be one complete JSON object"},
		"cut":                {sampleRecord[:40], "record is not valid JSON, at byte 41"},
		"something after it": {sampleRecord + "{}", "record must be one JSON object with nothing after it"},
		"rubbish after it":   {sampleRecord + "x", fmt.Sprintf("record is not valid JSON, at byte %d", len(sampleRecord)+1)},
		"invalid UTF-8":      {edited("ABCDE", "\xff"), "record must be valid UTF-8"},
		"lone surrogate":     {edited("ABCDE", `\ud800`), "record is not valid JSON, at byte 55"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := topup.ParseRecord([]byte(test.record))
			if len(problems) != 1 || problems[0].Error() != test.want {
				t.Fatalf("got %v, want %s", problems, test.want)
			}
			if refusal := (*topup.Error)(nil); !errors.As(problems[0], &refusal) || refusal.Kind != topup.KindInvalid || refusal.Field == "" {
				t.Errorf("got %#v, want an invalid field", problems[0])
			}
		})
	}
}

func TestEveryProblemOfARecordIsReported(t *testing.T) {
	_, problems := topup.ParseRecord([]byte(`{"customer_id":1,"currency":[{"a":"]"}],"entities":[{"id":{},"payment":1.5},7,{"number":false,"x":null}],"y":1}`))
	want := []string{
		"customer_id must be a string", "currency must be a string", "entities[0].id must be a string",
		"entities[0].payment must be an integer number of minor units, without fraction or exponent",
		"entities[1] must be a JSON object", "entities[2].number must be a string",
		"entities[2].x is not a member of an account record", "y is not a member of an account record",
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestProblemsRepeatNoValue(t *testing.T) {
	secret := "7771234567"
	for _, record := range []string{
		`{"customer_id":7771234567}`, `{"customer_id":"7771234567`, `{"customer_id":"7771234567"7771234567`,
		`{"customer_id":"7771234567","customer_id":"7771234567"}`, `{"entities":[{"payment":7771234567.5,"info":"7771234567"}]}`,
		"{\"customer_id\":\"7771234567\xff\"}", `{"x":"7771234567"}`, `"7771234567"`,
	} {
		_, problems := topup.ParseRecord([]byte(record))
		if len(problems) == 0 {
			t.Errorf("%s was accepted", record)
		}
		for _, p := range problems {
			if strings.Contains(p.Error(), secret) {
				t.Errorf("%s: the problem repeats it: %v", record, p)
			}
		}
	}
}

func TestContractsOfARecordAreBounded(t *testing.T) {
	record := func(n int) []byte {
		return []byte(`{"entities":[` + strings.TrimSuffix(strings.Repeat(`{"id":"e","number":"n"},`, n), ",") + `]}`)
	}
	if account, problems := topup.ParseRecord(record(topup.MaxContracts)); len(problems) > 0 || len(account.Contracts) != topup.MaxContracts {
		t.Errorf("at the bound: %v", problems)
	}
	account, problems := topup.ParseRecord(record(topup.MaxContracts + 5))
	if len(problems) != 1 || problems[0].Error() != "entities must have at most 1000 entries" || len(account.Contracts) != topup.MaxContracts {
		t.Errorf("above the bound: %v", problems)
	}
}

func TestInfoKeepsItsTextButForWhiteSpace(t *testing.T) {
	deepest := strings.Repeat(`{"a":`, topup.MaxInfoDepth-1) + "{}" + strings.Repeat("}", topup.MaxInfoDepth-1)
	for given, want := range map[string]string{
		"{ \"z\" : 1.50 ,\n\t\"a\":1e3, \"n\":12345678901234567890 }": `{"z":1.50,"a":1e3,"n":12345678901234567890}`,
		`{"t":" a \" { [ \u0041 \/ <b> & ` + "\u2028" + `"}`:          `{"t":" a \" { [ \u0041 \/ <b> & ` + "\u2028" + `"}`,
		`{}`:    `{}`,
		deepest: deepest,
		`{"a":[` + strings.Repeat(`[],{},`, 40) + `1]}`: `{"a":[` + strings.Repeat(`[],{},`, 40) + `1]}`, // wide, not deep
	} {
		got, err := topup.CompactInfo([]byte(given))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", given, got, err)
		}
	}
	for _, bad := range []string{``, ` `, `[]`, `1`, `{`, `{}{}`, `{"a":1,"\u0061":2}`, "{\"a\":\"\xff\"}", `{"a":` + deepest + `}`} {
		if got, err := topup.CompactInfo([]byte(bad)); err == nil {
			t.Errorf("%s: got %s, want a refusal", bad, got)
		}
	}
	// The text that was given is left alone.
	given := []byte(`{ "a": 1 }`)
	if _, err := topup.CompactInfo(given); err != nil || string(given) != `{ "a": 1 }` {
		t.Errorf("the given text became %s", given)
	}
}

// FuzzParseRecord: whatever comes in, the decoder neither panics nor accepts
// what a second reading would see differently.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(sampleRecord))
	f.Add([]byte(edited(`500000`, `[{"a":"\"}{"},1.50e-7,null]`)))
	f.Add([]byte(`{"entities":[{"id":"e","info":{"a":1,"a":2}}]}`))
	f.Add([]byte(`{"customer_id":"` + "\xff" + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		account, problems := topup.ParseRecord(data)
		if !slices.Equal(before, data) {
			t.Fatal("the decoder changed what it was given")
		}
		if len(problems) > 0 {
			return
		}
		for _, c := range account.Contracts {
			if c.Info == nil {
				continue
			}
			again, err := topup.CompactInfo(c.Info)
			if err != nil || string(again) != string(c.Info) {
				t.Fatalf("info %q is read again as %q, %v", c.Info, again, err)
			}
		}
		again, problems := topup.ParseRecord([]byte(" " + string(data) + "\n"))
		if len(problems) > 0 || !reflect.DeepEqual(account, again) {
			t.Fatalf("read again: %v", problems)
		}
	})
}

func BenchmarkParseRecord(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := topup.ParseRecord([]byte(sampleRecord)); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
