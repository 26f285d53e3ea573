package commands_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// gateSaid keeps an answer of the Gate, as the watch does.
func (s *shop) gateSaid(t testing.TB, id string, sum topup.Money) {
	t.Helper()
	opened, err := store.Open(context.Background(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}()
	answer := store.StatusAnswer{At: time.Now(), HTTPStatus: 200, Status: "success", Operation: "4711", Code: "0", Message: "Success", Sum: sum}
	if _, err := opened.NoteStatusAnswer(context.Background(), id, answer, true); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheGateSaidIsShownAndComparedBeforeACreditByHand(t *testing.T) {
	for name, tc := range map[string]struct {
		sum           topup.Money
		differs, show string
		warned        bool
	}{
		"another sum":      {tenge(100), "amount", "1.00 KZT, the amount DIFFERS from the 100.00 KZT that were asked", true},
		"another currency": {topup.Money{Amount: 10000, Currency: "KGS"}, "currency", "100.00 KGS, the currency DIFFERS", true},
		"the same sum":     {tenge(10000), "", "100.00 KZT, as asked", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			r := s.serve(t)
			s.gateSaid(t, "payment_47", tc.sum)

			contains(t, "payments show", s.must(t, "payments", "show", "payment_47"), "outcome_unknown", "status success", "operation 4711", "code 0 Success", tc.show)
			whole := decode[struct {
				Timeline []struct {
					What, Source, Currency, Differs string
					Amount                          int64
					ProviderStatus                  string `json:"provider_status"`
					HTTPStatus                      int    `json:"http_status"`
				}
			}](t, s.must(t, "payments", "show", "payment_47", "--json"))
			last := whole.Timeline[len(whole.Timeline)-1]
			if last.What != "answer" || last.Source != "info" || last.Amount != tc.sum.Amount || last.Currency != tc.sum.Currency ||
				last.Differs != tc.differs || last.ProviderStatus != "success" || last.HTTPStatus != 200 {
				t.Errorf("--json: got %+v", last)
			}

			got := s.tolem(t, "payments", "credit", "payment_47", "--reason", "in the platform's report")
			if got.code != 0 {
				t.Fatalf("got %+v", got)
			}
			if warned := strings.Contains(got.err, tc.differs+" differs"); warned != tc.warned {
				t.Errorf("standard error: %q", got.err)
			}
			r.end(t)
		})
	}
}
