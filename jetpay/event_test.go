package jetpay_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tolem/jetpay"
	"tolem/signing"
	"tolem/testkit"
	"tolem/topup"
)

func eventOf(t testing.TB, body string) topup.Event {
	t.Helper()
	return eventOfProject(t, body, 1234)
}

func TestTheSampleCallbackReadsAsItIsPrinted(t *testing.T) {
	got := eventOf(t, testkit.JetPayCallback)
	money := topup.Money{Amount: 10000, Currency: "KZT"}
	want := topup.Event{
		Provider: "jetpay", Project: "1234", Source: topup.SourceCallback, Amounts: topup.AmountExact, Reference: "payment_47", Operation: "28", Outcome: topup.OutcomePaid,
		Sum: money, Initial: money, Complete: true, TopUp: true,
		Method: "kaspi", Status: "success", Code: "0", Message: "Success", ReceiptID: "123abc123-321",
		EffectiveAt: time.Date(2022, 3, 25, 11, 8, 46, 0, time.UTC),
	}
	want.Fingerprint = got.Fingerprint // see the test of repeats
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestTheStatusTable(t *testing.T) {
	const (
		paid     = topup.OutcomePaid
		declined = topup.OutcomeDeclined
		refunded = topup.OutcomeRefunded
		reversed = topup.OutcomeReversed
		status   = topup.OutcomePaidStatus
		open     = topup.OutcomeOpen
	)
	for _, tc := range []struct {
		payment, typ, operation, code string
		want                          topup.Outcome
	}{
		// a movement needs all three
		{"success", "sale", "success", "0", paid},
		{"success", "sale", "processing", "0", status},
		{"success", "sale", "decline", "0", status},
		{"processing", "sale", "success", "0", open},
		{"success", "auth", "success", "0", status},
		{"success", "capture", "success", "0", status},
		{"success", "recurring", "success", "0", status},
		{"success", "", "success", "0", status},
		{"", "sale", "success", "0", open},
		{"Success", "sale", "success", "0", open},
		{"success", "SALE", "success", "0", status},
		{"success ", "sale", "success", "0", open},
		// payment.status decides, operation.status alone decides nothing
		{"decline", "sale", "decline", "20000", declined},
		{"decline", "sale", "success", "0", declined},
		{"processing", "sale", "decline", "20000", open},
		{"error", "sale", "error", "20000", declined},
		{"expired", "sale", "", "", declined},
		{"canceled", "sale", "", "", declined},
		{"cancelled", "sale", "", "", declined},
		{"Decline", "sale", "decline", "20000", open},
		// declines that may still be paid
		{"decline", "sale", "decline", "19999", open},
		{"decline", "sale", "decline", "29999", open},
		{"error", "sale", "decline", "20802", open},
		{"expired", "sale", "decline", "20899", open},
		{"decline", "sale", "decline", "30100", declined},
		{"decline", "sale", "decline", "30303", declined},
		// money that goes back
		{"refunded", "sale", "success", "0", refunded},
		{"partially refunded", "refund", "success", "0", refunded},
		{"partially refunded", "sale", "success", "0", refunded},
		{"refunded", "", "", "", refunded},
		{"success", "refund", "success", "0", refunded},
		{"success", "partial refund", "success", "0", refunded},
		{"decline", "refund", "success", "0", refunded},
		{"reversed", "reversal", "success", "0", reversed},
		{"partially reversed", "sale", "success", "0", reversed},
		{"success", "reversal", "success", "0", reversed},
		{"success", "void", "success", "0", reversed},
		{"success", "cancel", "success", "0", reversed},
		{"success", "chargeback", "success", "0", reversed},
		{"decline", "reversal", "success", "0", reversed},
		{"partially reversed", "reversal", "success", "0", reversed},
		{"reversed", "", "", "", reversed},
		// money that did not go back: a payment that is paid is still paid
		{"success", "refund", "decline", "20000", status},
		{"success", "partial refund", "decline", "20000", status},
		{"success", "refund", "processing", "", status},
		{"success", "refund", "", "", status},
		{"success", "reversal", "decline", "20000", status},
		{"success", "chargeback", "awaiting", "", status},
		{"processing", "refund", "processing", "", open},
		{"decline", "refund", "decline", "20000", open},
		{"partially refunded", "refund", "decline", "20000", open},
		{"partially refunded", "refund", "processing", "", open},
		{"partially reversed", "reversal", "error", "20000", open},
		// anything else
		{"awaiting customer action", "sale", "", "", open},
		{"awaiting 3ds result", "sale", "success", "0", open},
		{"something new", "something new", "success", "0", open},
	} {
		body := testkit.Edit(t, testkit.JetPayCallback, `"status":"success"`, `"status":"`+tc.payment+`"`, `"type":"sale","status":"success"`,
			`"type":"`+tc.typ+`","status":"`+tc.operation+`"`, `"code":"0"`, `"code":"`+tc.code+`"`)
		if got := eventOf(t, body).Outcome; got != tc.want {
			t.Errorf("payment %q, operation %q %q, code %q: got %s, want %s", tc.payment, tc.typ, tc.operation, tc.code, got, tc.want)
		}
	}
	number := testkit.Edit(t, testkit.JetPayCallback, `"status":"success"`, `"status":"decline"`, `"code":"0"`, `"code":20802`)
	if got := eventOf(t, number).Outcome; got != open {
		t.Errorf("a code that is a number: got %s, want open", got)
	}
	wrong := testkit.Edit(t, testkit.JetPayCallback, `"status":"success"`, `"status":true`)
	if got := eventOf(t, wrong).Outcome; got != open {
		t.Errorf("a status that is no string: got %s, want open", got)
	}
}

func TestAMovementThatCannotBeReadIsNotComplete(t *testing.T) {
	const sum, initial = `"method":"kaspi","sum":{"amount":10000,"currency":"KZT"}`, `"sum_initial":{"amount":10000,"currency":"KZT"}`
	for name, pairs := range map[string][]string{
		"project missing":            {`"project_id":1234,`, ``},
		"project a fraction":         {`"project_id":1234`, `"project_id":1234.0`},
		"project with leading zero":  {`"project_id":1234`, `"project_id":"01234"`},
		"payment.id with semicolon":  {`"payment_47"`, `"payment;47"`},
		"operation.id missing":       {`"id":28,`, ``},
		"operation.id a word":        {`"id":28`, `"id":"op28"`},
		"operation.id leading zero":  {`"id":28`, `"id":"028"`},
		"operation.id negative":      {`"id":28`, `"id":-28`},
		"operation.id fraction":      {`"id":28`, `"id":28.0`},
		"operation.id exponent":      {`"id":28`, `"id":28e0`},
		"operation.id 20 digits":     {`"id":28`, `"id":12345678901234567890`},
		"operation.id empty":         {`"id":28`, `"id":""`},
		"sum missing":                {`,"sum":{"amount":10000,"currency":"KZT"}`, ``},
		"sum a number":               {sum, `"method":"kaspi","sum":10000`},
		"sum amount zero":            {sum, `"method":"kaspi","sum":{"amount":0,"currency":"KZT"}`},
		"sum amount negative":        {sum, `"method":"kaspi","sum":{"amount":-1,"currency":"KZT"}`},
		"sum amount a fraction":      {sum, `"method":"kaspi","sum":{"amount":10000.0,"currency":"KZT"}`},
		"sum amount over the limit":  {sum, `"method":"kaspi","sum":{"amount":10000000000001,"currency":"KZT"}`},
		"sum amount beyond 64 bits":  {sum, `"method":"kaspi","sum":{"amount":9999999999999999999,"currency":"KZT"}`},
		"sum currency missing":       {sum, `"method":"kaspi","sum":{"amount":10000}`},
		"sum currency not ISO":       {sum, `"method":"kaspi","sum":{"amount":10000,"currency":"QQQ"}`},
		"sum currency small letters": {sum, `"method":"kaspi","sum":{"amount":10000,"currency":"kzt"}`},
		"sum currency a number":      {sum, `"method":"kaspi","sum":{"amount":10000,"currency":398}`},
		"initial missing":            {initial + `,`, ``},
		"initial amount a word":      {initial, `"sum_initial":{"amount":"ten","currency":"KZT"}`},
		"initial currency null":      {initial, `"sum_initial":{"amount":10000,"currency":null}`},
	} {
		e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, pairs...))
		if e.Outcome != topup.OutcomePaid {
			t.Errorf("%s: outcome: got %s, want paid", name, e.Outcome)
		}
		if e.Complete {
			t.Errorf("%s: got complete, want not", name)
		}
		if e.Fingerprint != nil {
			t.Errorf("%s: it must not be taken for a repeat", name)
		}
		if cut := name == "payment.id with semicolon"; e.MaybeCut != cut {
			t.Errorf("%s: may be cut: got %t, want %t", name, e.MaybeCut, cut)
		}
	}
}

// The id may be anything, but the money is there: under a reference that shows
// what can be shown, and that is never an id of ours.
func TestAMovementThatIsReadableButForItsPaymentIDIsMoneyUnderAnUnknownID(t *testing.T) {
	tooLong := strings.Repeat("p", 256)
	for name, tc := range map[string]struct{ from, to, want string }{
		"missing":               {`"id":"payment_47",`, ``, "operation 28"},
		"empty":                 {`"payment_47"`, `""`, "operation 28"},
		"null":                  {`"payment_47"`, `null`, "operation 28"},
		"true":                  {`"payment_47"`, `true`, "operation 28"},
		"an object":             {`"payment_47"`, `{"id":"payment_47"}`, "operation 28"},
		"an empty array":        {`"payment_47"`, `[]`, "operation 28"},
		"blanks alone":          {`"payment_47"`, `"  "`, "operation 28"},
		"nothing visible":       {`"payment_47"`, `"\u200b\u0000"`, "operation 28"},
		"with a blank":          {`"payment_47"`, `"KASPI 1"`, "KASPI 1"},
		"with a colon":          {`"payment_47"`, `"payment:47"`, "payment:47"},
		"a fraction":            {`"payment_47"`, `4.5`, "4.5 (number)"},
		"negative":              {`"payment_47"`, `-4`, "-4 (number)"},
		"a number too long":     {`"payment_47"`, `12345678901234567890`, "12345678901234567890 (number)"},
		"with NUL":              {`"payment_47"`, `"payment\u0000_47"`, "payment_47 (#"},
		"with an invisible":     {`"payment_47"`, `"payment\u200b_47"`, "payment_47 (#"},
		"too long":              {`"payment_47"`, `"` + tooLong + `"`, tooLong[:239] + " (#"},
		"too long, of Cyrillic": {`"payment_47"`, `"` + strings.Repeat("ж", 200) + `"`, strings.Repeat("ж", 119) + " (#"},
	} {
		e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, tc.from, tc.to))
		if e.Outcome != topup.OutcomePaid || !e.Complete || e.MaybeCut || e.Operation != "28" || e.Sum.Amount != 10000 {
			t.Errorf("%s: got %+v", name, e)
		}
		if e.Reference != tc.want && !(strings.HasSuffix(tc.want, "(#") && strings.HasPrefix(e.Reference, tc.want)) {
			t.Errorf("%s: reference: got %q, want %q", name, e.Reference, tc.want)
		}
		if topup.CheckID(e.Reference) == nil || len(e.Reference) > topup.MaxIDBytes || !utf8.ValidString(e.Reference) {
			t.Errorf("%s: reference %q may be of a payment that was issued, or does not fit", name, e.Reference)
		}
		if len(e.Fingerprint) != 16 {
			t.Errorf("%s: it could not be taken for a repeat", name)
		}
	}
	one := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"payment_47"`, `"`+tooLong+`1"`)).Reference
	if two := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"payment_47"`, `"`+tooLong+`2"`)).Reference; one == two {
		t.Errorf("two ids have the reference %q", one)
	}
}

// An operator books by hand what no message could be booked of: he needs all
// that could be read.
func TestWhatCanBeReadOfAMessageIsKeptWhateverBecomesOfIt(t *testing.T) {
	asked, left := topup.Money{Amount: 10000, Currency: "KZT"}, topup.Money{Amount: 4000, Currency: "KZT"}
	for name, tc := range map[string]struct {
		pairs        []string
		sum, initial topup.Money
		operation    string
		cut          bool
	}{
		"without operation.id":      {[]string{`"id":28`, `"id":null`}, asked, asked, "", false},
		"without payment.sum":       {[]string{`,"sum":{"amount":10000,"currency":"KZT"}`, ``}, topup.Money{}, asked, "28", false},
		"without an initial sum":    {[]string{`"sum_initial":{"amount":10000,"currency":"KZT"},`, ``}, asked, topup.Money{}, "28", false},
		"of another method":         {[]string{`"kaspi"`, `"card"`}, asked, asked, "28", false},
		"a refund of a part":        {[]string{`"sale"`, `"refund"`, `"sum":{"amount":10000`, `"sum":{"amount":4000`}, left, asked, "28", false},
		"perhaps cut from another":  {[]string{`"payment_47"`, `"p;account:number:7"`}, asked, asked, "28", true},
		"perhaps a Payment Page's":  {[]string{`"project_id":1234`, `"project_id":1234,"payment_id":"X1"`}, asked, asked, "28", true},
		"a status that may be one":  {[]string{`"status":"success"`, `"status":"decline"`, `"project_id":1234`, `"project_id":1234,"payment_id":"X1"`}, asked, asked, "28", true},
		"paid without an operation": {[]string{`"operation":{`, `"operations":{`}, asked, topup.Money{}, "", false},
	} {
		e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, tc.pairs...))
		if e.Reference == "" || e.Sum != tc.sum || e.Initial != tc.initial || e.Operation != tc.operation || e.MaybeCut != tc.cut {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

func TestNumbersAsTextAndIDsAsNumbersAreRead(t *testing.T) {
	e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"project_id":1234`, `"project_id":"1234"`, `"payment_47"`, `9223372036854775807`, `"amount":10000`, `"amount":"10000"`, `"id":28`, `"id":"9999999999999999999"`))
	if !e.Complete || e.Reference != "9223372036854775807" || e.Operation != "9999999999999999999" || e.Sum.Amount != 10000 {
		t.Errorf("got %+v", e)
	}
	if zero := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"id":28`, `"id":0`)); !zero.Complete || zero.Operation != "0" {
		t.Errorf("operation 0: got %+v", zero)
	}
	for name, body := range map[string]string{
		"the project in general": testkit.Edit(t, testkit.JetPayCallback, `"project_id":1234`, `"general":{"project_id":1234}`),
		"a type beside it":       testkit.Edit(t, testkit.JetPayCallback, `"project_id":1234`, `"project_id":1234,"type":"verify"`),
	} {
		if !eventOf(t, body).Complete {
			t.Errorf("%s: got not complete", name)
		}
	}
}

// The values of what is signed are not escaped. Whoever has a text of his own
// signed, such as the account number that he typed, and sees the signature, can
// cut the signed string anew: the second body of each pair carries the
// signature of the first. None may become a movement.
func TestWhatWasSignedAsSomethingElseIsNoMovement(t *testing.T) {
	const lines = `operation:id:9;operation:status:success;operation:sum_initial:amount:10000;operation:sum_initial:currency:KZT;operation:type:sale;` +
		`payment:id:payment_47;payment:method:kaspi;payment:status:success;payment:sum:amount:10000;payment:sum:currency:KZT`
	const movement = `"operation":{"id":9,"status":"success","sum_initial":{"amount":10000,"currency":"KZT"},"type":"sale"},` +
		`"payment":{"id":"payment_47","method":"kaspi","status":"success","sum":{"amount":10000,"currency":"KZT"}}`
	const decline = `"operation":{"id":28,"status":"decline"},"payment":{"id":"payment_47","status":"decline"},"project_id":1234}`
	for name, bodies := range map[string]struct{ signed, forged string }{
		"a verify": {
			`{"type":"verify","project_id":1234,"customer_id":"7;` + lines + `"}`,
			`{"type":"verify","project_id":1234,"customer_id":"7",` + movement + `}`,
		},
		"a verify whose id begins with a colon": {
			`{"type":"verify","project_id":1234,"customer_id":":x:y;` + lines + `"}`,
			`{"type":"verify","project_id":1234,"customer_id:x":"y",` + movement + `}`,
		},
		"a check_deposit": {
			`{"type":"check_deposit","project_id":1234,"amount":1,"currency":"KZT","customer_id":"7","entity_id":"e;` + lines + `","payment_method":"terminal/kaspi"}`,
			`{"type":"check_deposit","project_id":1234,"amount":1,"currency":"KZT","customer_id":"7","entity_id":"e","payment_method":"terminal/kaspi",` + movement + `}`,
		},
		"a decline, its lines hidden in a member of their own": {
			`{"account":{"number":"7;` + lines + `;project_id:1234;z:"},` + decline,
			`{"account":{"number":"7"},` + movement + `,"project_id":1234,"z":";operation:id:28;operation:status:decline;payment:id:payment_47;payment:status:decline;project_id:1234"}`,
		},
		"a decline, its lines hidden in the payment's type": {
			`{"account":{"number":"7;` + lines + `;payment:type:purchase"},` + decline,
			`{"account":{"number":"7"},` + strings.TrimSuffix(movement, "}") + `,"type":"purchase;operation:id:28;operation:status:decline;payment:id:payment_47;payment:status:decline;project_id:1234"}}`,
		},
		"the parameters of a Payment Page": {
			`{"close_on_missclick":true,"customer_phone":"0;` + lines + `","payment_amount":2035,"payment_id":"X03936","project_id":1234}`,
			`{"close_on_missclick":true,"customer_phone":"0",` + movement + `,"payment_amount":2035,"payment_id":"X03936","project_id":1234}`,
		},
		"the parameters of a Payment Page, hidden in a member of their own": {
			`{"close_on_missclick":true,"customer_phone":"0;` + lines + `;project_id:1234;z:","payment_amount":2035,"payment_id":"X03936","project_id":1234}`,
			`{"close_on_missclick":true,"customer_phone":"0",` + movement + `,"project_id":1234,"z":";payment_amount:2035;payment_id:X03936;project_id:1234"}`,
		},
		"an answer of ours to verify": {
			`{"code":0,"currency":"KZT","additional_customer_id":"A;` + lines + `;project_id:1234;z:"}`,
			`{"additional_customer_id":"A",` + movement + `,"project_id":1234,"z":";code:0;currency:KZT"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := signing.NewKey("demo-secret")
			if err != nil {
				t.Fatal(err)
			}
			signature, err := signing.Sign([]byte(bodies.signed), key)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := signing.Sign([]byte(bodies.forged), key); err != nil || got != signature {
				t.Fatalf("the forged body does not have the signature of the other: %v", err)
			}
			if e := eventOf(t, bodies.forged); e.Outcome != topup.OutcomePaid || e.Complete || !e.MaybeCut {
				t.Errorf("got %+v", e)
			}
			// Read anew from the store, where its signature is not verified again.
			if e, err := jetpay.ReadStored("1234", []byte(bodies.forged)); err != nil || e.Complete || !e.MaybeCut {
				t.Errorf("stored: got %+v, %v", e, err)
			}
		})
	}
}

func TestAMovementMayHaveAnyOtherMembers(t *testing.T) {
	for _, more := range []string{
		`"customer_id":"7000000010"`, `"amount":5`, `"amount":{}`, `"customer_id":[]`, `"code":"0"`, `"type":"verify"`,
		`"errors":[{"message":"a;b: payment; operation"}]`, `"general":{"payment_id":"x"}`,
	} {
		if e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"project_id":1234`, `"project_id":1234,`+more)); !e.Complete {
			t.Errorf("with %s: got not complete", more)
		}
	}
}

func TestARepeatIsWhatTheRulesCallOne(t *testing.T) {
	base := eventOf(t, testkit.JetPayCallback).Fingerprint
	if len(base) != 16 {
		t.Fatalf("fingerprint: got %d bytes", len(base))
	}
	for name, pairs := range map[string][]string{
		"operation.id as text":  {`"id":28`, `"id":"28"`},
		"amount as text":        {`"amount":10000`, `"amount":"10000"`},
		"project as text":       {`"project_id":1234`, `"project_id":"1234"`},
		"another message":       {`"message":"Success"`, `"message":"OK"`},
		"another code":          {`"code":"0"`, `"code":"1"`},
		"another date":          {`11:08:46`, `12:08:46`},
		"another method":        {`"kaspi"`, `"card"`},
		"a new member":          {`"account"`, `"acs":{"x":1},"account"`},
		"white space":           {`"account"`, "\n\t\"account\""},
		"another sum_converted": {`"sum_converted":{"amount":10000`, `"sum_converted":{"amount":1`},
		"another receipt":       {`123abc123-321`, `x`},
	} {
		if got := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, pairs...)).Fingerprint; !bytes.Equal(got, base) {
			t.Errorf("%s: it is a repeat, and has another fingerprint", name)
		}
	}
	for name, pairs := range map[string][]string{
		"payment.id":            {`payment_47`, `payment_48`},
		"payment.status":        {`"status":"success"`, `"status":"decline"`},
		"operation.id":          {`"id":28`, `"id":29`},
		"operation.status":      {`"sale","status":"success"`, `"sale","status":"decline"`},
		"operation.type":        {`"sale"`, `"refund"`},
		"sum.amount":            {`"amount":10000`, `"amount":10001`},
		"sum.currency":          {`"currency":"KZT"`, `"currency":"USD"`},
		"sum_initial.amount":    {`"sum_initial":{"amount":10000`, `"sum_initial":{"amount":1`},
		"sum_initial.currency":  {`"sum_initial":{"amount":10000,"currency":"KZT"`, `"sum_initial":{"amount":10000,"currency":"RUB"`},
		"status shifted":        {`"status":"success"`, `"status":"success28"`, `"id":28`, `"id":""`, `"sale"`, `"other"`},
		"no status":             {`"status":"success",`, ``},
		"empty status":          {`"status":"success"`, `"status":""`},
		"the payment's own sum": {`"sum":{"amount":10000,"currency":"KZT"}`, `"sum":{}`, `"sale"`, `"other"`},
	} {
		e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, pairs...))
		if bytes.Equal(e.Fingerprint, base) || e.Fingerprint == nil {
			t.Errorf("%s: it is no repeat; fingerprint %x", name, e.Fingerprint)
		}
	}
	// Movements of years ago may be sent again after any upgrade.
	if got, want := hex.EncodeToString(base), "5eb01de7ffd4087b8e732b30169bf27f"; got != want {
		t.Errorf("the fingerprint of a movement: got %s, want %s as ever", got, want)
	}
	coded := func(code string) []byte {
		return eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"status":"success"`, `"status":"decline"`, `"code":"0"`, code)).Fingerprint
	}
	open := coded(`"code":"20802"`)
	for name, code := range map[string]string{"another": `"code":"20000"`, "an empty": `"code":""`, "a null": `"code":null`} {
		if bytes.Equal(coded(code), open) {
			t.Errorf("a decline with %s code is no repeat", name)
		}
	}
	if !bytes.Equal(coded(`"code":20802`), open) {
		t.Error("a code that is a number is the same code")
	}
	none := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"status":"success"`, ``+`"status":"processing"`, `"id":"payment_47",`, ``))
	if none.Fingerprint != nil {
		t.Error("a message without payment.id has a fingerprint")
	}
	if other := eventOfProject(t, testkit.JetPayCallback, 77); bytes.Equal(other.Fingerprint, base) {
		t.Error("another project has the same fingerprint")
	}
	absent := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"status":"success",`, ``)).Fingerprint
	if empty := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"status":"success"`, `"status":""`)).Fingerprint; bytes.Equal(absent, empty) {
		t.Error("an absent and an empty status have one fingerprint")
	}
}

func TestTheAccountingDateIsTheProviders(t *testing.T) {
	const operation, payment = `"date":"2022-03-25T11:08:46+0000"`, `"date":"2022-03-25T11:08:45+0000"`
	at := func(h, m, s int) time.Time { return time.Date(2022, 3, 25, h, m, s, 0, time.UTC) }
	for name, tc := range map[string]struct {
		pairs []string
		want  time.Time
	}{
		"operation.date":                  {nil, at(11, 8, 46)},
		"with an offset":                  {[]string{operation, `"date":"2022-03-25T16:08:46+0500"`}, at(11, 8, 46)},
		"RFC 3339":                        {[]string{operation, `"date":"2022-03-25T16:08:46+05:00"`}, at(11, 8, 46)},
		"RFC 3339, Z":                     {[]string{operation, `"date":"2022-03-25T11:08:46Z"`}, at(11, 8, 46)},
		"else payment.date":               {[]string{operation, `"date":"yesterday"`}, at(11, 8, 45)},
		"a number is no date":             {[]string{operation, `"date":20220325`}, at(11, 8, 45)},
		"neither":                         {[]string{operation, `"date":""`, payment, `"date":null`}, time.Time{}},
		"a year that cannot be":           {[]string{operation, `"date":"0001-01-01T00:00:00+0000"`}, at(11, 8, 45)},
		"a year that is too long in UTC":  {[]string{operation, `"date":"9999-12-31T23:59:59-1200"`}, at(11, 8, 45)},
		"a year that is too early in UTC": {[]string{operation, `"date":"2000-01-01T00:00:00+0600"`}, at(11, 8, 45)},
	} {
		if got := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, tc.pairs...)).EffectiveAt; !got.Equal(tc.want) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestTheProvidersWordsAreBoundedAndPlain(t *testing.T) {
	long := strings.Repeat("ж", 200)
	e := eventOf(t, testkit.Edit(t, testkit.JetPayCallback, `"message":"Success"`, `"message":"a\u0000b\u001b[2J\n`+long+`"`, `"code":"0"`, `"code":17`, `"123abc123-321"`, `{"x":1}`, `"kaspi"`, `"`+long+`"`))
	if !strings.HasPrefix(e.Message, "ab[2Jжж") || len(e.Message) > 255 || !utf8.ValidString(e.Message) {
		t.Errorf("message: got %q", e.Message)
	}
	if len(e.Method) != 254 || e.TopUp {
		t.Errorf("method: got %d bytes, top-up %v", len(e.Method), e.TopUp)
	}
	if e.Code != "17" || e.ReceiptID != "" {
		t.Errorf("code, receipt: got %q, %q", e.Code, e.ReceiptID)
	}
}
