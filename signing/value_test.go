package signing_test

import (
	"fmt"
	"testing"

	"tolem/signing"
)

func TestValue(t *testing.T) {
	type reading struct {
		text, textOrNumber, digits string
		integer                    int64
		isInteger                  bool
		id                         string
		isID                       bool
	}
	for body, want := range map[string]reading{
		`""`:                     {isID: true},
		`"word"`:                 {text: "word", textOrNumber: "word", id: "word", isID: true},
		`"a\u0062"`:              {text: "ab", textOrNumber: "ab", id: "ab", isID: true},
		`"0"`:                    {text: "0", textOrNumber: "0", digits: "0", isInteger: true, id: "0", isID: true},
		`7`:                      {textOrNumber: "7", digits: "7", integer: 7, isInteger: true, id: "7", isID: true},
		`"07"`:                   {text: "07", textOrNumber: "07", id: "07", isID: true},
		`"+7"`:                   {text: "+7", textOrNumber: "+7", id: "+7", isID: true},
		`-7`:                     {textOrNumber: "-7"},
		`7.0`:                    {textOrNumber: "7.0"},
		`7e2`:                    {textOrNumber: "7e2"},
		`9223372036854775807`:    {textOrNumber: "9223372036854775807", digits: "9223372036854775807", integer: 9223372036854775807, isInteger: true, id: "9223372036854775807", isID: true},
		`9223372036854775808`:    {textOrNumber: "9223372036854775808", digits: "9223372036854775808", id: "9223372036854775808", isID: true},
		`10000000000000000000`:   {textOrNumber: "10000000000000000000"},
		`"10000000000000000000"`: {text: "10000000000000000000", textOrNumber: "10000000000000000000", id: "10000000000000000000", isID: true},
		`true`:                   {},
		`null`:                   {},
		`{"x":1}`:                {},
		`[1]`:                    {},
	} {
		t.Run(body, func(t *testing.T) {
			b, err := signing.Parse(fmt.Appendf(nil, `{"v":%s}`, body))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			v, _ := b.Lookup("v")
			got := reading{text: v.StringValue(), textOrNumber: v.StringOrNumber(), digits: v.Digits()}
			got.integer, got.isInteger = v.Integer()
			got.id, got.isID = v.ID()
			if got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
			if v.IsDigits() != (want.digits != "") {
				t.Errorf("IsDigits: got %t", v.IsDigits())
			}
		})
	}
}
