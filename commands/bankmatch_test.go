package commands_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// addPayout enters a payout of a day of November; net is its gross less a fee of 1500.
func (s *shop) addPayout(t testing.TB, id string, day, net int, more ...string) {
	t.Helper()
	s.must(t, append([]string{"payouts", "add", "--provider", "jetpay", "--project", "1234", "--bank", "halyk", "--id", id, "--date", fmt.Sprintf("2026-11-%02d", day),
		"--currency", "KZT", "--gross", fmt.Sprint(net + 1500), "--fees", "1500", "--net=" + fmt.Sprint(net), "--actor", "anna"}, more...)...)
}

func TestBankMatch(t *testing.T) {
	s := bankShop(t)
	s.addPayout(t, "po_1", 20, 98500)
	s.addPayout(t, "po_2", 21, 98500)
	s.addPayout(t, "po_3", 22, 5000)
	s.addPayout(t, "po_4", 23, 7000)
	s.must(t, "bank", "import", s.statement(t, "s.txt", "20.11.2026", "26.11.2026", "0", "1990.00",
		"21.11.2026 in 985.00 1 Реестр po_2, комиссия 15.00", "22.11.2026 in 985.00 2 возмещение", "24.11.2026 in 20.00 3 po_3", "25.11.2026 out 0 4 x"), "--bank", "halyk", "--format", "1c")
	want := []string{"match: payout po_1 of 2026-11-20, 985.00 KZT = line ", "(sum and day)", "match: payout po_2 of 2026-11-21", "(sum, day and name)",
		"no line: payout po_3 of 2026-11-22", "no line: payout po_4", "2 ", "0 ambiguous, 2 without a line, 0 groups"}
	proposed := s.tolem(t, "bank", "match")
	if proposed.code != 1 {
		t.Fatalf("got %+v", proposed)
	}
	contains(t, "output", proposed.out, append(want, "2 proposed")...)
	if strings.Contains(s.must(t, "payouts", "show", "po_1"), "bank line") {
		t.Error("a proposal has matched it")
	}
	if got := s.tolem(t, "bank", "match", "--apply"); got.code != 2 {
		t.Errorf("without a reason: got %+v", got)
	}
	applied := s.tolem(t, "bank", "match", "--apply", "--reason", "statement of November", "--actor", "anna")
	contains(t, "output", applied.out, append(want, "2 matched")...)
	contains(t, "payout", s.must(t, "payouts", "show", "po_2"), "bank line", "2026-11-21, in 985.00 KZT", "po_2")
	if got := decode[map[string]any](t, s.must(t, "payouts", "show", "po_1", "--json"))["bank_line"].(map[string]any); got["amount"] != 98500.0 || got["day"] != "2026-11-22" {
		t.Errorf("got %v", got)
	}
	contains(t, "again", s.tolem(t, "bank", "match").out, "0 proposed, 0 ambiguous, 2 without a line")
	t.Run("DiscardingFreesTheLine", func(t *testing.T) {
		s.must(t, "payouts", "discard", "po_1", "--reason", "wrong day")
		if strings.Contains(s.must(t, "payouts", "show", "po_1"), "bank line") {
			t.Error("a discarded payout has its bank line still")
		}
		s.addPayout(t, "po_1b", 22, 98500)
		contains(t, "output", s.tolem(t, "bank", "match").out, "match: payout po_1b", "1 proposed")
	})
	t.Run("ReversingFreesTheLine", func(t *testing.T) {
		s.must(t, "payouts", "post", "po_2", "--reason", "on the statement")
		reversal := s.reversePayout(t, "po_2")
		s.addPayout(t, "po_2b", 21, 98500)
		s.must(t, "payouts", "discard", "po_1b", "--reason", "in the way")
		applied := s.tolem(t, "bank", "match", "--apply", "--reason", "again")
		if !strings.Contains(applied.out, "ambiguous: payout po_2b") {
			t.Errorf("two lines fit: got %s", applied.out)
		}
		s.addPayout(t, "po_5", 22, 98500)
		s.must(t, "payouts", "discard", "po_5", "--reason", "in the way")
		// The reversal of the reversal is refused once the line is another payout's.
		s.must(t, "payouts", "discard", "po_2b", "--reason", "in the way")
		s.must(t, "ledger", "reverse", reversal, "--reason", "it was right")
		contains(t, "payout", s.must(t, "payouts", "show", "po_2"), "posted", "bank line")
	})
	t.Run("JSON", func(t *testing.T) {
		got := decode[map[string]any](t, s.tolem(t, "bank", "match", "--json").out)
		if got["applied"] != false || len(got["open"].([]any)) != 2 {
			t.Errorf("got %v", got)
		}
	})
	s.must(t, "ledger", "check")
}

// A line that was freed and taken again keeps the first payout from coming back.
func TestBankMatch_ALineIsOnePayouts(t *testing.T) {
	s := bankShop(t)
	s.addPayout(t, "po_1", 20, 98500)
	s.must(t, "bank", "import", s.statement(t, "s.txt", "20.11.2026", "20.11.2026", "0", "985.00", "20.11.2026 in 985.00 1 x"), "--bank", "halyk", "--format", "1c")
	s.must(t, "payouts", "post", "po_1", "--reason", "paid")
	s.must(t, "bank", "match", "--apply", "--reason", "statement")
	reversal := s.reversePayout(t, "po_1")
	s.addPayout(t, "po_2", 20, 98500)
	s.must(t, "bank", "match", "--apply", "--reason", "statement")
	got := s.tolem(t, "ledger", "reverse", reversal, "--reason", "it was right")
	if got.code != 1 {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "its bank line is that of payout po_2")
	s.must(t, "payouts", "discard", "po_2", "--reason", "twice")
	s.must(t, "ledger", "reverse", reversal, "--reason", "it was right")
	contains(t, "payout", s.must(t, "payouts", "show", "po_1"), "bank line")
}

// reversePayout reverses the posting of a payout, and returns the reversal's id.
func (s *shop) reversePayout(t testing.TB, id string) string {
	t.Helper()
	posting := decode[map[string]any](t, s.must(t, "payouts", "show", id, "--json"))["transaction_id"].(string)
	return decode[map[string]any](t, s.must(t, "ledger", "reverse", posting, "--reason", "wrong", "--json"))["transaction_id"].(string)
}

func TestLedgerExport_1C(t *testing.T) {
	s := bankShop(t)
	s.addPayout(t, "po_1", 20, 98500)
	s.addPayout(t, "po_2", 21, -500)
	s.addPayout(t, "po_3", 22, 100)
	s.must(t, "bank", "import", s.statement(t, "s.txt", "20.11.2026", "20.11.2026", "0", "985.00", "20.11.2026 in 985.00 1 po_1"), "--bank", "halyk", "--format", "1c")
	s.tolem(t, "bank", "match", "--apply", "--reason", "statement")
	for _, id := range []string{"po_1", "po_2"} {
		s.must(t, "payouts", "post", id, "--reason", "paid")
	}
	s.must(t, "payouts", "post", "po_3", "--reason", "paid")
	s.reversePayout(t, "po_3")
	raw := s.must(t, "ledger", "export", "--format", "1c")
	text, err := charmap.Windows1251.NewDecoder().String(raw)
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	contains(t, "export", text, "1CClientBankExchange\n", "Кодировка=Windows\n", "ДатаНачала=20.11.2026\nДатаКонца=21.11.2026\nРасчСчет="+ownAccount+"\n",
		"НомерДокумента=po_1\nДатаДокумента=20.11.2026\nДатаОперации=20.11.2026\nСуммаПриход=985.00\nСумма=985.00\nВалюта=KZT\nПлательщикНаименование=Платформа\nПлательщикИИК=KZ00999DEMO000000002\nПолучательБИН_ИИН=000000000000\nПолучательКБЕ=17\nПолучательИИК="+ownAccount+"\nПолучательБанкБИК=HSBKKZKX\n",
		"комиссия 15.00", "НомерДокумента=po_2\n", "СуммаРасход=5.00\n", "КонецФайла\n")
	if strings.Contains(text, "po_3") {
		t.Error("a reversed payout is exported")
	}
	if got := s.must(t, "ledger", "export", "--format", "1c", "--from", "2026-11-21"); strings.Contains(got, "po_1") || !strings.Contains(got, "po_2") {
		t.Errorf("of the 21st: got %s", got)
	}
	t.Run("WhatDoesNotFitIsNamed", func(t *testing.T) {
		s.addPayout(t, "po-ұ", 23, 100)
		s.must(t, "payouts", "post", "po-ұ", "--reason", "paid")
		got := s.tolem(t, "ledger", "export", "--format", "1c")
		if got.code != 1 || got.out != "" {
			t.Errorf("got %+v", got)
		}
		contains(t, "standard error", got.err, "document po-ұ: НомерДокумента has the character 'ұ' (U+04B1), which windows-1251 does not have")
	})
	t.Run("WithoutTheBanksData", func(t *testing.T) {
		s.must(t, "payouts", "add", "--provider", "jetpay", "--project", "1234", "--bank", "cash", "--id", "po_9", "--date", "2026-11-25", "--currency", "KZT", "--gross", "5", "--net", "5")
		s.must(t, "payouts", "post", "po_9", "--reason", "paid")
		got := s.tolem(t, "ledger", "export", "--format", "1c", "--from", "2026-11-25")
		if got.code != 1 {
			t.Errorf("got %+v", got)
		}
		contains(t, "standard error", got.err, "the configuration of bank account cash has no iban, bic, bin, kbe, which 1C needs")
	})
}
