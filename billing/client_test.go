package billing

import (
	"strings"
	"testing"
)

// TestWhatIsWrongWithAnAnswerIsSaidWithoutIDs: billing may key its answer by
// customers, and the log has what is wrong with it.
func TestWhatIsWrongWithAnAnswerIsSaidWithoutIDs(t *testing.T) {
	for answer, want := range map[string]string{
		`{"7011112233":{"customer_id":"7011112233"}}`: "a member is not one of an account record",
		`{"ivanov":{}}`: "a member is not one of an account record",
		`{"customer_id":"7011112233","entities":[{"7011112233.id":1}]}`:                                                                      "a member is not one of an account record",
		`{"customer_id":"7011112233","entities":[{"id":7011112233}]}`:                                                                        "entities[0].id must be",
		`{"customer_id":"7011112233","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"N","payment":70111.5}]}`: "entities[0].payment must be",
		`{"customer_id":"7011112233`: "not valid JSON",
	} {
		_, err := new(client).record([]byte(answer), "7011112233")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "70111") || strings.Contains(err.Error(), "ivanov") {
			t.Errorf("%s: got %v, want %q and nothing of the answer", answer, err, want)
		}
	}
}
