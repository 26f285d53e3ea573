package handlers_test

import (
	"testing"

	"tolem/testkit"
)

// The signature is over what the platform sent; what is looked up is trimmed.
func TestBlanksAroundAnAccountNumberAreTrimmedWithEveryNormaliser(t *testing.T) {
	for name, r := range map[string]*rig{"none": newRig(t), "kz_phone": newRig(t, phones)} {
		for _, id := range []string{" 123456789", "123456789 ", "\t123456789\t", "\u00a0123456789\u2007", "\u3000123456789"} {
			verify := `{"type":"verify","project_id":1234,"customer_id":` + quoted(t, id) + `}`
			if got := r.send(verify); got.code(t) != 0 {
				t.Errorf("%s: verify of %q: got %s", name, id, got.body)
			}
			deposit := testkit.Edit(t, depositBody, `"customer_id":"123456789"`, `"customer_id":`+quoted(t, id))
			if got := r.send(deposit); got.code(t) != 0 {
				t.Errorf("%s: check_deposit of %q: got %s", name, id, got.body)
			}
		}
		if got := r.send(`{"type":"verify","project_id":1234,"customer_id":" \u00a0"}`); got.code(t) != 500 {
			t.Errorf("%s: nothing but blanks: got %s", name, got.body)
		}
	}
}
