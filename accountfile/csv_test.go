package accountfile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tolem/accountfile"
	"tolem/topup"
)

func TestABadCSVFileNamesEveryBadLine(t *testing.T) {
	t.Parallel()
	const header = "customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info"
	for name, test := range map[string]struct {
		rows []string
		want []string
	}{
		"values": {
			[]string{header, "c1,A,KZT,e1,n,1e5,01,[]", "c1,A,KZT,e2,n,,+1,{", "c1,A,KZT,e3,n,-1,,"},
			[]string{
				"line 2: payment must be an integer number of minor units, without fraction or exponent",
				"line 2: min_payment must be an integer number of minor units, without fraction or exponent",
				"line 2: info must be a JSON object, without duplicate names",
				"line 3: min_payment must be an integer number of minor units, without fraction or exponent",
				"line 3: info must be a JSON object, without duplicate names",
				"line 4: payment must be between 0 and 10000000000000 minor units",
			},
		},
		"rules at the contract's row": {
			[]string{header, "c1,A,KZT,e1,n,,,", "c1,A,KZT,e1,,,,", "c1,A,KZT,e 3,n,-1,,", "c 2,A,XXX,e1,n,,,"},
			[]string{
				"line 3: entity_id must be unique within the account",
				"line 3: number must not be empty",
				"line 4: entity_id must contain only visible characters, without white space, ';' or ':'",
				"line 4: payment must be between 0 and 10000000000000 minor units",
				"line 5: customer_id must contain only visible characters, without white space, ';' or ':'",
			},
		},
		"rows of a customer differ": {
			[]string{header, "c1,A,KZT,e1,n,,,", "c1,B,KZT,e2,n,,,", "c1,A,KGS,e3,n,,,"},
			[]string{
				"line 3: additional_customer_id must be the same in all rows of a customer",
				"line 4: currency must be the same in all rows of a customer",
			},
		},
		"a customer appears again": {
			[]string{header, "c1,A,KZT,e1,n,,,", "c2,A,KZT,e1,n,,,", "c1,A,KZT,e2,n,,,", "c1,A,KZT,e3,,,,"},
			[]string{
				"line 4: customer_id is that of line 2 already",
				"line 5: number must not be empty",
				"line 5: customer_id is that of line 2 already",
			},
		},
		"other rows of a customer with a bad field": {
			[]string{header, "k1,A,KZT,e1,N1,x,,", "k1,A,KZT,e2,,,,", "k1,A,KZT,,N,,,", "k2,A,KZT,e1,N,,,"},
			[]string{
				"line 2: payment must be an integer number of minor units, without fraction or exponent",
				"line 3: number must not be empty",
				"line 4: entity_id must not be empty",
			},
		},
		"what is the customer's, in every row": {
			[]string{header, ",A,XXX,e1,n,,,", ",A,XXX,e2,n,,,", "c2,,KZT,e1,n,,,", "c2,,KZT,e2,n,,,"},
			[]string{
				"line 2: currency must be an ISO 4217 code such as KZT",
				"line 2: customer_id must not be empty",
				"line 3: currency must be an ISO 4217 code such as KZT",
				"line 3: customer_id must not be empty",
				"line 4: additional_customer_id must not be empty",
				"line 5: additional_customer_id must not be empty",
			},
		},
		"a row before a ragged one": {
			[]string{header, ",A,KZT,e,N,,,", "k5,A,KZT,e"},
			[]string{"line 2: customer_id must not be empty", "line 3: must have as many fields as the header"},
		},
		"rows around ragged ones": {
			[]string{header, "k1,A,KZT", "k1,A,KZT,e1,,,,", "k1,A", "k1,A,KZT,e1,n,,,", "k2,A,KZT,e1,n,,,,"},
			[]string{
				"line 2: must have as many fields as the header",
				"line 3: number must not be empty",
				"line 4: must have as many fields as the header",
				"line 5: entity_id must be unique within the account",
				"line 6: must have as many fields as the header",
			},
		},
		"rows after a quote that another closes": {
			[]string{header, `c1,A,KZT,e1,"n,,,`, "c2,A,KZT,,n,,,", `c3,A,KZT,e1,n","",,`, "c4,A,KZT,e1,,,,"},
			[]string{
				"line 2: has a line break in a field that is no JSON object: is a quote never closed?",
				"line 3: entity_id must not be empty",
				"line 4: has a quote in the wrong place: quote the whole field and double the quotes in it",
				"line 5: number must not be empty",
			},
		},
		"rows after a quote that is stuck in the next": {
			[]string{header, `c1,A,KZT,e1,n,,,"{`, "c2,A,KZT,,n,,,", `c3,A,KZT,e1,"n",,,`, "c4,A,KZT,e1,,,,"},
			[]string{
				"line 2: has a quote in the wrong place: quote the whole field and double the quotes in it",
				"line 3: entity_id must not be empty",
				"line 5: number must not be empty",
			},
		},
		"a line that is too long": {
			[]string{header, "c1,A,KZT,e1," + strings.Repeat(`"`, 2<<20) + "1,,,", "c2,A,KZT,e1,,,,", `c3,A,KZT,e1,"`, strings.Repeat("n", 2<<20) + ",,,", "c4,A,KZT,,n,,,"},
			[]string{
				"line 2: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 3: number must not be empty",
				"line 4: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 5: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 6: entity_id must not be empty",
			},
		},
		"lines after an info of several": {
			[]string{header, `c1,A,KZT,e1,n,,,"{`, `""a"": 1`, "", `}"`, "c2,A,KZT,e1,,,,", "", "c3,A,KZT,,n,,,"},
			[]string{"line 6: number must not be empty", "line 8: entity_id must not be empty"},
		},
		"broken rows among good ones": {
			[]string{header, "x,y", "c1,A,KZT,e1,n,,,", `c1,A,"KZT"x,e2,n,,,`, "c1,A,KZT,e3,n,,,", "c1,A,KZT", "c1,A,KZT,e4,n,,,"},
			[]string{
				"line 2: must have as many fields as the header",
				"line 4: has a quote in the wrong place: quote the whole field and double the quotes in it",
				"line 6: must have as many fields as the header",
			},
		},
		"a quote never closed": {
			[]string{header, "c1,A,KZT,e1,n,,,", `c2,A,KZT,e1,"n,,,`, goodRows(100_000), "c3,A,KZT,,n,,,"},
			[]string{
				"line 3: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 100004: entity_id must not be empty",
			},
		},
		"many quotes never closed": {
			[]string{header, strings.Repeat(`c2,A,KZT,e1,"n,,,`+"\n", 500)},
			slices.Repeat([]string{"has a quote in the wrong place: quote the whole field and double the quotes in it"}, 500),
		},
		"a row without end at the end": {
			[]string{header, "c1,A,KZT,e1,n,,,", `c2,A,KZT,e1,"n,,,`},
			[]string{"line 3: has a quote in the wrong place: quote the whole field and double the quotes in it"},
		},
		"nothing":                {nil, []string{"line 1: the header is missing"}},
		"unknown column":         {[]string{header + ",debt"}, []string{"line 1: column 9 is none of " + header + ",closed,entity_closed"}},
		"column twice":           {[]string{header + ",info"}, []string{"line 1: column info appears twice"}},
		"column missing":         {[]string{"customer_id,additional_customer_id,currency,number"}, []string{"line 1: column entity_id is missing"}},
		"other separators":       {[]string{strings.ReplaceAll(header, ",", "~")}, []string{"line 1: is no header whose columns are separated by commas, semicolons or tabs"}},
		"sep= of none":           {[]string{"sep=~", header}, []string{"line 1: sep= must name a comma, a semicolon, a tab or a vertical bar"}},
		"a value without a name": {[]string{header + ",,", "c1,A,KZT,e1,n,,,,x,", "c2,A,KZT,e1,n,,,,,"}, []string{"line 2: has a value behind column 8, where the header has no name"}},
		"neither true nor false": {[]string{header + ",entity_closed", "c1,A,KZT,e1,n,,,,maybe"}, []string{"line 2: entity_closed must be true, false or empty"}},
		"closed and not":         {[]string{header + ",closed", "c1,A,KZT,e1,n,,,,true", "c1,A,KZT,e2,n,,,,"}, []string{"line 3: closed must be the same in all rows of a customer"}},
		"windows-1251":           {[]string{header, "c1,A,KZT,e1,\xc4\xee\xe3\xee\xe2\xee\xf0,,,", "c2,A,KZT,e1,n,,,"}, []string{`line 2: is not UTF-8 but, as it seems, windows-1251: save the file as "CSV UTF-8"`}},
		"destroyed ids": {
			[]string{header, "9.96555E+11,A,KZT,e1,n,,,", "9.96555E+11,A,KZT,e2,n,,,", "7071234569.0,A,KZT,e1,n,,,", "c1\u3164,A,KZT,e1,n,,,", "c2,A,KZT,#N/A,n,,,", "c3,A,KZT,e1,#REF!,,,"},
			[]string{
				"line 2: customer_id is a number in scientific notation, of which a spreadsheet has dropped digits; export the column as text",
				"line 3: customer_id is a number in scientific notation, of which a spreadsheet has dropped digits; export the column as text",
				"line 4: customer_id is a number with a decimal fraction, as spreadsheets write long ids; export the column as text",
				"line 5: customer_id must contain only visible characters, without white space, ';' or ':'; U+3164 is none",
				"line 6: entity_id is a spreadsheet's error value, not an id; mend the formula and export again",
				"line 7: number is a spreadsheet's error value, not an id; mend the formula and export again",
			},
		},
		"a quoted header": {[]string{`"customer_id`}, []string{"line 1: has a quote in the wrong place: quote the whole field and double the quotes in it"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := badLines(t, csvFile(test.rows...), "")
			if name == "many quotes never closed" {
				for i, l := range got {
					got[i] = strings.TrimPrefix(l, fmt.Sprintf("line %d: ", i+2))
				}
			}
			if name == "rules at the contract's row" {
				got = slices.DeleteFunc(got, func(l string) bool { return strings.HasPrefix(l, "line 5: currency") })
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// goodRows are n rows of CSV, each of another customer.
func goodRows(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("good%d,A,KZT,e1,n,,,", i)
	}
	return strings.Join(rows, "\n")
}

func TestCustomerIDsOfCSVRowsAreNormalisedBeforeTheyAreChecked(t *testing.T) {
	file := csvFile("customer_id,additional_customer_id,currency,entity_id,number",
		"+7 707 123-45-67,A,KZT,e1,n", "+7 707 123-45-67,A,KZT,e2,n")
	if got, want := outlines(t, file, topup.NormalizeKZPhone), "7071234567: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRowsOfOneCustomerAreBounded(t *testing.T) {
	rows := []string{"customer_id,additional_customer_id,currency,entity_id,number"}
	for i := range topup.MaxContracts + 1 {
		rows = append(rows, fmt.Sprintf("c1,A,KZT,e%d,n", i))
	}
	if got, want := badLines(t, csvFile(rows...), ""), []string{"line 1002: a customer must have at most 1000 rows"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := verdict(t, csvFile(rows[:len(rows)-1]...), ""); err != nil {
		t.Error(err)
	}

	// A row too many is checked as any other.
	want := []string{"line 1002: a customer must have at most 1000 rows", "line 1003: a customer must have at most 1000 rows", "line 1003: number must not be empty"}
	if got := badLines(t, csvFile(append(slices.Clone(rows), "c1,A,KZT,e,")...), ""); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// What is reported of one customer is bounded as well.
	err := verdict(t, csvFile(append(rows, slices.Repeat([]string{"c1"}, 1500)...)...), "")
	bad := (*accountfile.LineErrors)(nil)
	if !errors.As(err, &bad) || len(bad.Lines) != 1000 || bad.More != 501 {
		t.Errorf("got %v", err)
	}
}

// FuzzCSV reads whatever it is given: the reader must neither panic nor accept
// what is not a record.
func FuzzCSV(f *testing.F) {
	f.Add("customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info\nc1,A,KZT,e1,n,1,2,{}\nc1,A,KZT,e2,n,,,\n")
	f.Add("\ufeffnumber,entity_id,currency,additional_customer_id,customer_id\r\n\"n\n\",e1,KZT,A,c1\r\n")
	f.Add("customer_id;currency\n")
	f.Add("sep=;\rCustomer_ID;additional_customer_id;currency;entity_id;number;;\r;;;;;;\rc1;A;KZT;e1;n;;\r")
	f.Add("\xff\xfec\x00u\x00")
	f.Add("customer_id,additional_customer_id,currency,entity_id,number\nc1,A,KZT,e1,\"n")
	f.Fuzz(func(t *testing.T, text string) {
		accounts := 0
		v, err := csvFile(text).Check(t.Context(), "", func(r *accountfile.Record, _ int64) error {
			if accounts++; len(r.Problems) == 0 && (len(r.Account.Check()) > 0 || len(r.Account.Contracts) == 0) {
				t.Errorf("accepted: %+v", r.Account)
			}
			return nil
		})
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			if bad := (*accountfile.LineErrors)(nil); errors.As(err, &bad) && (len(bad.Lines) == 0 || bad.Lines[0].Line < 1 || bad.Lines[0].Line > strings.Count(text, "\n")+strings.Count(text, "\r")+1) {
				t.Errorf("a problem without its line: %v", err)
			}
			return
		}
		if accounts == 0 {
			t.Error("accepted without records")
		}
	})
}
