package payoutfile_test

import (
	"strings"
	"testing"
	"time"

	"tolem/calendar"
	"tolem/maps"
	"tolem/payoutfile"
	"tolem/reportfile"
	"tolem/topup"
)

const header = "payout_id,date,type,payment_id,operation_id,amount,currency,fee,reserve,adjustment,net\n"

// ofOne is a map of a register of one payout, without a column for it.
const ofOne = `
format: csv
columns: {payment: payment, type: type, status: status, amount: amount, currency: currency, fee: fee, time: time}
time: "%Y-%m-%d %H:%M:%S"
fee_sign: "-"
types: {sale: payment, refund: refund, settlement: payout, info: ignore}
statuses: {ok: paid, no: declined}
`

func options(change ...func(*payoutfile.Options)) payoutfile.Options {
	zone, err := calendar.Load("Asia/Almaty")
	if err != nil {
		panic(err)
	}
	o := payoutfile.Options{Provider: "jetpay", Project: "1234", Bank: topup.BankAccountOf{Name: "halyk", Currency: "KZT"}, Zone: zone}
	for _, c := range change {
		c(&o)
	}
	return o
}

func read(t testing.TB, m *reportfile.Map, text string, o payoutfile.Options) (payoutfile.Register, error) {
	t.Helper()
	rows, err := reportfile.Open(strings.NewReader(text), int64(len(text)), m)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	return payoutfile.Read(t.Context(), rows, m, o)
}

func mustMap(t testing.TB, text string) *reportfile.Map {
	t.Helper()
	m, err := reportfile.ParseMap([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ownMap(t testing.TB) *reportfile.Map {
	t.Helper()
	m, err := maps.Load("payout-register")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRead(t *testing.T) {
	t.Run("GroupsLinesIntoPayouts", func(t *testing.T) {
		got, err := read(t, ownMap(t), header+
			"PO-1,2026-11-29,payment,p_1,1,100.00,KZT,1.50,,,98.50\n"+
			"PO-2,2026-11-30,payment,p_2,2,50.00,KZT,,,,\n"+
			"PO-1,2026-11-28,refund,p_1,3,30.00,KZT,,,,-30.00\n"+
			"PO-1,2026-11-29,reserve,,,5.00,KZT,,,,\n"+
			"PO-1,2026-11-29,adjustment,,,-1.00,KZT,,,,1.00\n"+
			"PO-1,2026-11-29,payout,,,64.50,KZT,,,,\n", options())
		if err != nil || len(got.Payouts) != 2 {
			t.Fatalf("got %+v, %v", got, err)
		}
		want := topup.PayoutFigures{Gross: 10000, Refunds: 3000, Fees: 150, Reserve: 500, Adjustments: -100, Net: 6450}
		if p := got.Payouts[0]; p.ID != "PO-1" || p.Date != "2026-11-29" || p.Bank != "halyk" || p.Currency != "KZT" || p.PayoutFigures != want || len(p.Lines) != 4 {
			t.Errorf("got %+v", p)
		}
		if p := got.Payouts[1]; p.ID != "PO-2" || p.Date != "2026-11-30" || p.Net != 5000 || p.Lines[0].Line != 3 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("OfOnePayoutWithoutAColumn", func(t *testing.T) {
		text := "payment,type,status,amount,currency,fee,time\n" +
			"p_1,sale,ok,100,KZT,-2,2026-11-29 18:59:59\n" +
			"p_2,sale,ok,50,KZT,-1,2026-11-29 19:00:00\n" + // the 30th in Almaty
			"p_3,sale,no,50,KZT,-1,2026-11-29 19:00:00\n" +
			"p_4,info,ok,50,KZT,-1,2026-11-29 19:00:00\n" +
			"p_2,refund,ok,-20,KZT,0,2026-11-29 19:00:00\n"
		signed := func(o *payoutfile.Options) { o.ID, o.Signed = "2026-11-30", true }
		got, err := read(t, mustMap(t, ofOne), text, options(signed))
		if err != nil || got.Ignored != 2 {
			t.Fatalf("got %+v, %v", got, err)
		}
		want := topup.PayoutFigures{Gross: 15000, Refunds: 2000, Fees: 300, Net: 12700}
		if p := got.Payouts[0]; p.ID != "2026-11-30" || p.Date != "2026-11-30" || p.PayoutFigures != want {
			t.Errorf("got %+v", p)
		}
		day, _ := calendar.ParseDay("2026-12-01")
		if got, err = read(t, mustMap(t, ofOne), text, options(signed, func(o *payoutfile.Options) { o.Date = day })); err != nil || got.Payouts[0].Date != "2026-12-01" {
			t.Errorf("with a day: got %+v, %v", got, err)
		}
	})
	t.Run("ARepeatedLineCountsOnce", func(t *testing.T) {
		line := "PO-1,2026-11-29,payment,p_1,1,100.00,KZT,,,,\n"
		fee := "PO-1,2026-11-29,fee,,,1.00,KZT,,,,\n" // cannot be told from another one
		got, err := read(t, ownMap(t), header+line+line+fee+fee, options())
		if err != nil || got.Duplicates != 1 || got.Payouts[0].Gross != 10000 || got.Payouts[0].Fees != 200 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("NamesEveryBadLine", func(t *testing.T) {
		_, err := read(t, ownMap(t), header+
			"PO-1,2026-11-29,payment,p_1,1,100.00,KZT,1.50,,,98.51\n"+
			"PO-1,2026-11-29,gift,p_1,2,100.00,KZT,,,,\n"+
			",2026-11-29,payment,p_1,3,100.00,KZT,,,,\n"+
			"PO-1,2026-11-29,payment,p_1,4,1.000.00,KZT,,,,\n"+
			"PO-1,2026-11-29,payment,p_1,5,100.00,KZT,,,,\n"+
			"PO-1,2026-11-29,payment,p_1,5,101.00,KZT,,,,\n"+
			"PO-1,2026-11-29,payment,p_1,6,100.00,KGS,,,,\n"+
			"PO-1,2026-11-29,refund,p_1,7,-100.00,KZT,,,,\n"+
			"PO-1,2026-11-29,payment,p_1,8,-100.00,KZT,,,,\n", options())
		if err == nil {
			t.Fatal("read")
		}
		var named []string
		for _, line := range strings.Split(err.Error(), "\n") {
			number, _, _ := strings.Cut(line, ":")
			named = append(named, number)
		}
		if got, want := strings.Join(named, ", "), "line 2, line 3, line 4, line 5, line 7, line 8, line 9, line 10"; got != want {
			t.Errorf("got %s, want %s: %v", got, want, err)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		line := "PO-1,2026-11-29,payment,p_1,1,100.00,KZT,1.50,,,98.50\n"
		for _, tt := range []struct{ name, text, says string }{
			{"NetThatIsNot", strings.Replace(line, "98.50", "98.51", 1), "line 2: its net is 98.51 KZT, and its amount less fee, reserve and adjustment is 98.50 KZT"},
			{"TypeThatIsNotListed", "PO-1,2026-11-29,gift,p_1,2,100.00,KZT,,,,\n", `line 2: its type "gift" is not in the map: list it under types, as ignore if it is no part of a payout`},
			{"NoPayout", line + ",2026-11-29,payment,p_1,3,100.00,KZT,,,,\n", "line 3: it names no payout"},
			{"TheSameOperationWithOtherContent", line + strings.Replace(strings.Replace(line, "100.00", "101.00", 1), "98.50", "99.50", 1), "line 3: payment, p_1, operation 1 is in line 2 too, with other content: amount is 101.00 KZT, and was 100.00 KZT"},
			{"TheSameOperationOnAnotherDay", line + strings.Replace(line, "11-29", "11-30", 1), "with other content: time is 2026-11-30T00:00:00Z, and was 2026-11-29T00:00:00Z"},
			{"AnotherCurrencyBehindABadLine", strings.Replace(line, "98.50", "98.51", 1) + "PO-1,2026-11-29,payment,p_1,6,100.00,KGS,,,,\n", "line 3: its currency is KGS, and that of the bank account halyk is KZT"},
			{"TwoCurrencies", line + "PO-1,2026-11-29,payment,p_1,6,100.00,KGS,,,,\n", "line 3: its currency is KGS, and that of the bank account halyk is KZT"},
			{"NegativeRefund", line + "PO-1,2026-11-29,refund,p_1,7,-100.00,KZT,,,,\n", "line 3: its amount is negative: if the register's amounts are what they change in the balance, import it with --signed"},
			{"NegativePayment", "PO-1,2026-11-29,payment,p_1,8,-100.00,KZT,,,,\n", "line 2: amount of a payment must not be negative"},
			{"AnotherSumPaid", line + "PO-1,2026-11-29,payout,,,98.49,KZT,,,,\n", "payout PO-1: line 3 says that 98.49 KZT was paid, and its lines add up to 98.50 KZT"},
			{"PaidTwice", line + "PO-1,2026-11-29,payout,,,98.50,KZT,,,,\nPO-1,2026-11-29,payout,,,98.50,KZT,,,,\n", "line 4: it says what payout PO-1 paid, which line 3 does too"},
			{"PaidForNothing", line + "PO-2,2026-11-29,payout,,,98.50,KZT,,,,\n", "payout PO-2: line 3 says what was paid, and no other line belongs to it: use payouts add"},
			{"NoDay", "PO-1,,payment,p_1,1,100.00,KZT,,,,\n", "payout PO-1: no line of it has a time: give the day of the payout"},
			{"Nothing", "", "the register has no line of a payout"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if _, err := read(t, ownMap(t), header+tt.text, options()); err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
			})
		}
		if _, err := read(t, mustMap(t, ofOne), "payment,type,status,amount,currency,fee,time\n", options()); err == nil || !strings.Contains(err.Error(), "names no column payout") {
			t.Errorf("without an id: got %v", err)
		}
		if _, err := read(t, ownMap(t), header, options(func(o *payoutfile.Options) { o.ID = "x" })); err == nil || !strings.Contains(err.Error(), "leave the id of the payout out") {
			t.Errorf("with two ids: got %v", err)
		}
	})
	t.Run("ManyLinesInLittleTime", func(t *testing.T) {
		var text strings.Builder
		text.WriteString(header)
		for range payoutfile.MaxLines + 1 {
			text.WriteString("PO-1,2026-11-29,fee,,,1.00,KZT,,,,\n")
		}
		started := time.Now()
		if _, err := read(t, ownMap(t), text.String(), options()); err == nil || !strings.Contains(err.Error(), "more than 300000 lines: split it") {
			t.Errorf("got %v", err)
		}
		t.Logf("in %v", time.Since(started))
	})
}
