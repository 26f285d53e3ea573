package commands

import (
	"os"
	"path/filepath"
	"testing"
)

// A list of assignments comes out of the same spreadsheets as account records.
func TestAListOfAssignmentsIsReadAsSpreadsheetsWriteIt(t *testing.T) {
	utf16 := func(text string) string {
		coded := "\xff\xfe"
		for _, c := range text {
			coded += string([]byte{byte(c), 0})
		}
		return coded
	}
	for name, text := range map[string]string{
		"commas":            "item,customer_id,entity_id\nt_1,7071,e1\n",
		"semicolons":        "\ufeffItem;CUSTOMER_ID;Entity_id\r\nt_1;7071;e1\r\n",
		"tabs":              "item\tcustomer_id\tentity_id\nt_1\t7071\te1\n",
		"sep=":              "sep=;\r\nitem;customer_id;entity_id\r\nt_1;7071;e1\r\n",
		"quoted, and blank": "\"item\",\"customer_id\",\"entity_id\"\n\"t_1\",\" 7071 \",\"e1\"\n,,\n",
		"UTF-16":            utf16("item\tcustomer_id\tentity_id\r\nt_1\t7071\te1\r\n"),
		"carriage returns":  "item,customer_id,entity_id\rt_1,7071,e1\r",
	} {
		path := filepath.Join(t.TempDir(), "list.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := readAssignments(path)
		if err != nil || len(rows) != 1 || rows[0].Item != "t_1" || rows[0].CustomerID != "7071" || rows[0].ContractID != "e1" {
			t.Errorf("%s: got %+v, %v", name, rows, err)
		}
		if want := map[bool]int{true: 3, false: 2}[name == "sep="]; err == nil && rows[0].line != want {
			t.Errorf("%s: line %d, want %d", name, rows[0].line, want)
		}
	}
}
