package proof_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tolem/fixtures"
	"tolem/proof/model"
)

// scenario is what the platforms sent, in the format of the fixtures. It has no words
// for operators' steps, pay-ins and restarts: those are in steps.txt, and without them
// the state of the books cannot be stated either.
type scenario struct {
	exchanges []exchange
	fresh     map[string]string
	lacks     []string
}

type exchange struct {
	name         string
	body, header []byte
	expect       map[string]any
}

func newScenario() *scenario { return &scenario{fresh: map[string]string{}} }

func (s *scenario) add(name, path string, header http.Header, body []byte, status int, members map[string]any, set map[string]string) map[string]any {
	expect := map[string]any{"path": path, "status": status, "body": "<any>"}
	if len(members) == 1 && members["code"] == 0 && name != "verify" {
		expect["body"] = members
	}
	if len(set) > 0 {
		expect["set"] = set
	}
	var lines bytes.Buffer
	for key, values := range header {
		fmt.Fprintf(&lines, "%s: %s\n", strings.ToLower(key), values[0])
	}
	s.exchanges = append(s.exchanges, exchange{name, body, lines.Bytes(), expect})
	return expect
}

func (s *scenario) unsigned(name, path string, body []byte, status int) {
	s.add(name, path, nil, body, status, nil, nil)["signed"] = false
}

func (s *scenario) deposit(body []byte, code, issued int) {
	expect := s.add("check-deposit", "/jetpay", nil, body, 200, nil, nil)
	if code == 0 {
		expect["body"] = map[string]any{"code": 0, "payment_id": "<fresh>", "description": "Success"}
		expect["capture"] = map[string]string{variable(issued): "/payment_id"}
		return
	}
	expect["body"] = map[string]any{"code": code, "message": "<text>"}
}

func variable(issued int) string { return "payment_" + strconv.Itoa(issued+1) }

// variables are the places of a callback that differ from run to run.
func (s *scenario) variables(w *walk, c model.Callback) map[string]string {
	set := map[string]string{}
	for i, p := range w.issued {
		if p.ID == c.Reference {
			set["/payment/id"] = "{" + variable(i) + "}"
		}
	}
	if set["/payment/id"] == "" {
		name := strings.ReplaceAll(c.Reference, "-", "_")
		s.fresh[name] = "text"
		set["/payment/id"] = "{" + name + "}"
	}
	if c.Operation != "" {
		s.fresh["operation_"+c.Operation] = "integer"
		set["/operation/id"] = "{operation_" + c.Operation + "}"
	}
	return set
}

func (s *scenario) message(m message) {
	name, set := "callback", m.set
	if m.header != nil {
		name = "alert"
	}
	s.add(name, m.path, m.header, m.body, 200, map[string]any{"code": 0}, set)
}

func (s *scenario) outside(what string) { s.lacks = append(s.lacks, what) }

// effects are what the model says of the payments.
func (s *scenario) effects(w *walk) (list []map[string]any) {
	for i, p := range w.issued {
		var made []map[string]any
		for _, t := range w.m.Txs {
			if t.Payment != p {
				continue
			}
			var postings []map[string]any
			for _, line := range t.Postings {
				postings = append(postings, map[string]any{"account": line.Account, "amount": line.Amount, "currency": line.Currency})
			}
			made = append(made, map[string]any{"kind": t.Kind, "postings": postings})
		}
		if made == nil {
			made = []map[string]any{}
		}
		shows := map[string]any{"status": p.Status, "flags": flagsInOrder(p), "credited": nil}
		if c := w.m.Credited(p); c != (model.Money{}) {
			shows["credited"] = map[string]any{"amount": c.Amount, "currency": c.Currency}
		}
		list = append(list, map[string]any{"payment": "{" + variable(i) + "}", "shows": shows, "transactions": made})
	}
	return list
}

// flagsInOrder are the flags in the order in which the API lists them.
func flagsInOrder(p *model.Payment) []string {
	list := []string{}
	for _, name := range []string{"amount_differs", "currency_differs", "unknown_payment", "second_operation", "conflict", "late", "refund", "reversal",
		"dispute", "unreadable", "outcome_unknown", "reversed", "refunded"} {
		if p.Flags[name] {
			list = append(list, name)
		}
	}
	return list
}

// write writes the sequence into the folder of the setting, and says how to replay
// it.
func (s *scenario) write(w *walk) string {
	root := os.Getenv(scenarioSetting)
	if root == "" {
		return fmt.Sprintf("With %s=FOLDER the sequence is written there as a scenario.", scenarioSetting)
	}
	folder := filepath.Join(root, "model-differs")
	if err := s.writeTo(folder, w); err != nil {
		return fmt.Sprintf("the scenario cannot be written: %v", err)
	}
	how := fmt.Sprintf("The sequence is in %s. Replay what the platforms sent, on the demo data:\n\n\ttolem replay %s\n", folder, folder)
	if len(s.lacks) > 0 {
		how += "\nThis differs from the sequence: operators' steps, pay-ins and restarts have no place in a scenario. steps.txt has them in order.\n"
	}
	return how + "\nThe whole sequence again, from the file of rapid that is named below:\n\n\tgo test ./proof -run TestTheServerDoesWhatTheModelDoes -rapid.failfile FILE\n\nA longer search for a shorter sequence: -rapid.shrinktime 10m with the seed that is named below.\n"
}

func (s *scenario) writeTo(folder string, w *walk) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	about := map[string]any{"about": "The server and the model differ at the last exchange or step.", "fresh": s.fresh}
	if len(s.lacks) == 0 {
		about["effects"] = s.effects(w)
	}
	files := map[string][]byte{"scenario.json": indented(about), "steps.txt": []byte(strings.Join(w.did, "\n") + "\n")}
	for i, x := range s.exchanges {
		name := fmt.Sprintf("%02d-%s", i+1, x.name)
		files[name+".request.json"], files[name+".expect.json"] = x.body, indented(x.expect)
		if len(x.header) > 0 {
			files[name+".headers"] = x.header
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	if len(s.exchanges) == 0 {
		return nil
	}
	_, err := fixtures.Load(folder)
	return err
}

func indented(value any) []byte {
	text, _ := json.MarshalIndent(value, "", "  ")
	return append(text, '\n')
}
