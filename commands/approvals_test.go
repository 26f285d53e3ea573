package commands_test

import (
	"os"
	"os/user"
	"regexp"
	"strings"
	"testing"

	"tolem/testkit"
	"tolem/view"
)

var approvalID = regexp.MustCompile(`ap_[0-9A-Z]{26}`)

// TestASecondPerson follows steps that need one through the commands.
func TestASecondPerson(t *testing.T) {
	s := newShop(t, `four_eyes: [credit, assign]`)
	s.env = []string{"TOLEM_ACTOR=aigerim"}
	s.serve(t)
	// A command's own configuration weakens nothing.
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "four_eyes: [credit, assign]", "", 1))
	if err := os.WriteFile(s.config, text, 0o600); err != nil {
		t.Fatal(err)
	}

	got := s.tolem(t, "payments", "credit", "payment_47", "--reason", "ticket 4711")
	ap := approvalID.FindString(got.out)
	if got.code != 0 || ap == "" {
		t.Fatalf("got %+v, want exit code 0 and the id", got)
	}
	contains(t, "credit", got.out, "would post", "manual_credit payment_47", "100.00 KZT", "nothing is posted yet", "approvals approve "+ap)
	if p := s.payment(t, "payment_47"); p.Credited != nil || len(p.Transactions) != 0 {
		t.Errorf("a proposal has posted: %+v", p)
	}
	list := decode[[]view.Approval](t, s.must(t, "approvals", "list", "--json"))
	if len(list) != 1 || list[0].ApprovalID != ap || list[0].Status != "proposed" || list[0].Actor != "aigerim" || list[0].Reason != "ticket 4711" ||
		string(list[0].Params) == "" || len(list[0].Preview) != 1 {
		t.Fatalf("got %+v", list)
	}
	contains(t, "approvals list", s.must(t, "approvals", "list"), ap, "credit", "payment_47", "100.00 KZT", "as aigerim")
	contains(t, "approvals show", s.must(t, "approvals", "show", ap), "can be approved", `{"payment_id":"payment_47"}`)

	if got := s.tolem(t, "approvals", "approve", ap); got.code != 2 {
		t.Errorf("without a token: got %+v", got)
	}
	wrong := testkit.WriteFile(t, s.dir, "wrong.token", "another-token\n")
	// A configuration of one's own makes nobody a second person.
	own := strings.Replace(string(text), "tokens: [", "tokens: [{name: mine, role: admin, token: another-token}, ", 1)
	if err := os.WriteFile(s.config, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.tolem(t, "approvals", "approve", ap, "--token-file", wrong); got.code != 1 || !strings.Contains(got.err, "none of admin.tokens") {
		t.Errorf("with another token: got %+v", got)
	}
	token := testkit.WriteFile(t, s.dir, "demo.token", "demo-admin-token\n")
	contains(t, "approve", s.must(t, "approvals", "approve", ap, "--token-file", token), "by           aigerim: ticket 4711", "approved by  demo")
	contains(t, "payments show", s.must(t, "payments", "show", "payment_47"), "(aigerim: ticket 4711), approved by demo")
	shown := s.must(t, "payments", "show", "payment_47", "--json")
	contains(t, "payments show --json", shown, `"approved_by": "demo"`)
	for _, format := range []string{"csv", "hledger", "jsonl"} {
		contains(t, "export "+format, s.must(t, "ledger", "export", "--format", format), "demo", "approved_by")
	}
	again := s.tolem(t, "approvals", "approve", ap, "--token-file", token)
	if again.code != 1 || !strings.Contains(again.err, "this proposal was approved by demo") {
		t.Errorf("approved twice: got %+v", again)
	}
	if got := s.must(t, "approvals", "list"); got != "none\n" {
		t.Errorf("open ones: got %q", got)
	}
	contains(t, "approvals list --all", s.must(t, "approvals", "list", "--all"), ap, "approved")
	contains(t, "approvals show", s.must(t, "approvals", "show", ap), "approved by", "demo", "transaction")

	// Who recalls it needs nobody; the assignment of a file does, and is rejected.
	recalled := decode[transaction](t, s.must(t, "payments", "recall", "payment_47", "--reason", "wrong contract", "--json"))
	file := testkit.WriteFile(t, s.dir, "assign.csv", "item,customer_id,entity_id\n"+recalled.TransactionID+",123456789,12345\n")
	second := decode[view.Proposed](t, s.must(t, "suspense", "assign", "--file", file, "--reason", "list", "--json"))
	if second.Status != "proposed" || !approvalID.MatchString(second.ApprovalID) {
		t.Errorf("got %+v", second)
	}
	contains(t, "reject", s.must(t, "approvals", "reject", second.ApprovalID, "--reason", "not this one"), "was rejected")
	if got := s.tolem(t, "approvals", "reject", second.ApprovalID, "--reason", " "); got.code != 2 {
		t.Errorf("without a reason: got %+v", got)
	}
	rejected := s.tolem(t, "approvals", "approve", second.ApprovalID, "--token-file", token)
	if rejected.code != 1 || !strings.Contains(rejected.err, "this proposal was rejected by aigerim") {
		t.Errorf("approved after it was rejected: got %+v", rejected)
	}
	if got := s.tolem(t, "approvals", "show", "ap_none"); got.code != 1 {
		t.Errorf("an unknown one: got %+v", got)
	}

	// The audit has all of it, and who the system says it was.
	current, err := user.Current()
	if err != nil {
		t.Skipf("the system does not say: %v", err)
	}
	entries := decode[[]view.AuditEntry](t, s.must(t, "audit", "--json"))
	want := [][3]string{ // the newest first
		{"approve", second.ApprovalID, "refused"}, {"reject", second.ApprovalID, "done"}, {"assign", "1 suspense items", "proposed"},
		{"recall", "payment_47", "done"}, {"approve", ap, "refused"}, {"approve", ap, "done"}, {"credit", "payment_47", "done"}, {"approve", ap, "refused"}, {"credit", "payment_47", "proposed"},
		{"configure", "four_eyes", "done"},
	}
	if len(entries) < len(want) {
		t.Fatalf("got %+v", entries)
	}
	for i, w := range want {
		e := entries[i]
		if [3]string{e.Action, e.Object, e.Result} != w {
			t.Errorf("entry %d: got %+v, want %v", i, e, w)
		}
		switch e.Action {
		case "approve":
			if unproven := i == 7; unproven && e.Actor == current.Username && e.Role == "command" {
				continue
			}
			if e.Actor != "demo" || e.Role != "admin" || e.ActingAs != "" {
				t.Errorf("got %+v", e)
			}
		case "configure":
		default:
			if e.Actor != current.Username || e.ActingAs != "aigerim" || e.Role != "command" {
				t.Errorf("got %+v", e)
			}
		}
	}
	contains(t, "audit", s.must(t, "audit", "--actor", "aigerim", "--limit", "1"), current.Username+" as aigerim", "not this one")
	if got := s.must(t, "audit", "--actor", "nobody"); got != "none\n" {
		t.Errorf("got %q", got)
	}
	if got := s.tolem(t, "audit", "--limit", "-1"); got.code != 2 {
		t.Errorf("got %+v", got)
	}
	s.must(t, "ledger", "check")
}
