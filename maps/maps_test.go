package maps_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tolem/maps"
	"tolem/reportfile"
)

// samples are what each map makes of its sample.
var samples = map[string][]string{
	"jetpay-dataapi": {
		"1 01JDWY4Q0ZJ8N7E3R5T1V9X2A1 5000000000000001 payment paid 1000000 KZT fee 0 2026-11-29T19:00:01Z",
		"2 01JDWY4Q0ZJ8N7E3R5T1V9X2A1 5000000000000002 refund paid 300000 KZT fee 0 2026-11-29T20:00:02Z",
		"3 01JDWY4Q0ZJ8N7E3R5T1V9X2A2 5000000000000003 payment pending 50000 KZT fee 0 -",
	},
	"jetpay-csv": {
		"2 01JDWY4Q0ZJ8N7E3R5T1V9X2A1 5000000000000001 payment paid 1000000 KZT fee 0 2026-11-29T19:00:01Z",
		"3 01JDWY4Q0ZJ8N7E3R5T1V9X2A1 5000000000000002 refund paid 300000 KZT fee 0 2026-11-29T20:00:02Z",
		"4 01JDWY4Q0ZJ8N7E3R5T1V9X2A2 5000000000000003 payment declined 50000 KZT fee 0 2026-11-29T20:10:00Z",
	},
	"kaspi-pay-xlsx": {
		"10 A-1 4000000001 payment paid 1000000 KZT fee 9500 2026-11-30T10:11:12+05:00",
		"11 A-1 4000000002 refund paid -300000 KZT fee -2850 2026-11-30T12:00:00+05:00",
		"12 A-2 4000000003 payment paid 50000 KZT fee 475 2026-11-30T23:59:59+05:00",
	},
	"qiwi-register": {
		"1 7000001  payment paid 1000000 KZT fee 0 2026-11-30T00:01:02+03:00",
		"2 7000002  payment paid 50050 KZT fee 0 2026-11-30T23:59:59+03:00",
	},
	"qiwi-bank-report": {
		"2 A-1 8000001 payment paid 1000000 KZT fee 15000 2026-11-30T00:01:02+03:00",
		"3 A-1 8000002 refund paid 300000 KZT fee -4500 2026-11-30T12:00:00+03:00",
		"4  8000003 payout paid -689500 KZT fee 0 2026-11-30T23:00:00+03:00",
	},
	"yoomoney-register": {
		"2 A-1 9000001 payment paid 1000000 RUB fee 35000 2026-11-30T10:00:00+03:00",
		"3 A-2 9000002 payment paid 50000 RUB fee 1750 2026-11-30T11:00:00+03:00",
	},
	"payout-register": {
		"2 payment_47 2811 payment paid 1000000 KZT fee 15000 2026-11-29T00:00:00Z",
		"3 payment_47 2812 refund paid 300000 KZT fee 0 2026-11-29T00:00:00Z",
		"4   reserve paid 50000 KZT fee 0 2026-11-29T00:00:00Z",
		"5   payout paid 635000 KZT fee 0 2026-11-29T00:00:00Z",
	},
	"halyk-terminal": {
		"3 A-1 633500000001 payment paid 1000000 KZT fee 15000 2026-11-30T09:00:00+05:00",
		"4 A-1 633500000002 refund paid -300000 KZT fee -4500 2026-11-30T10:00:00+05:00",
		"5 A-2 633500000003 payment declined 50000 KZT fee 0 2026-11-30T11:00:00+05:00",
	},
}

func TestEachMapReadsItsSample(t *testing.T) {
	for _, name := range maps.Names() {
		t.Run(name, func(t *testing.T) {
			m, err := maps.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			found, err := filepath.Glob(filepath.Join("samples", name+".*"))
			if err != nil || len(found) != 1 {
				t.Fatalf("got samples %v, %v, want one", found, err)
			}
			file, err := os.Open(found[0])
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			rows, err := reportfile.Open(file, info.Size(), m)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var got []string
			err = rows.Each(t.Context(), func(r *reportfile.Row) error {
				at := "-"
				if !r.Time.IsZero() {
					at = r.Time.Format("2006-01-02T15:04:05Z07:00")
				}
				got = append(got, fmt.Sprintf("%d %s %s %s %s %d %s fee %d %s", r.Line, r.Payment, r.Operation, r.Type, r.Status, r.Amount, r.Currency, r.Fee.Amount, at))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if want := samples[name]; !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestAMapIsAFileOrAName(t *testing.T) {
	if _, err := maps.Load("jetpay-csv.yaml"); err != nil {
		t.Error(err)
	}
	if _, err := maps.Load("nothing"); err == nil || !strings.Contains(err.Error(), "jetpay-dataapi") {
		t.Errorf("got %v, want an error with the names that there are", err)
	}
}
