package dashboard

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tolem/store"
	"tolem/topup"
)

// stepRequest is what a form asks for.
type stepRequest struct {
	name string // of the step
	kind string // of what the address names: payments, suspense, …
	id   string // of that
	form url.Values
	back string // where the person goes afterwards
}

// effect is what a step would do now, or why it cannot.
type effect struct {
	Transactions []topup.Transaction // none: nothing is posted
	Problem      string              // of a rule, in English
	Money        topup.Money         // of the first posting
	Item         string              // of suspense, that it is about
}

// stepRule is a step of an operator, as the pages offer it. The rules are those of
// the domain, and the store applies them, four eyes included.
type stepRule struct {
	// inputs are what a person enters beside the reason.
	inputs []input
	// carried are further values of the form, which come from the page before.
	carried []string
	// possible decides whether a payment's page offers the step.
	possible func(topup.Book) error
	// steps are what the form asks for, each of which is done by itself.
	steps func(context.Context, *Dashboard, *stepRequest) ([]store.Step, error)
	// options are what can be chosen for inputs of which only some values make sense.
	options func(context.Context, *Dashboard, *stepRequest) (map[string][]option, error)
	// fill proposes values for the inputs.
	fill func(context.Context, *Dashboard, *stepRequest) (map[string]string, error)
	// preview and do stand in for steps, of what is no step of its own.
	preview func(context.Context, *Dashboard, *stepRequest) ([]effect, error)
	do      func(context.Context, *Dashboard, *stepRequest, store.By) error
	// danger marks what takes money away, or cannot be taken back.
	danger bool
	// noReason: nobody is asked why.
	noReason bool
}

// input is a value that a person enters.
type input struct {
	Name     string
	Label    string // the key of its text
	Required bool
	Decimal  bool // a number is typed
}

// option is a value that can be chosen; Text is the key of what it is called, with
// its argument, and Money what it is worth.
type option struct {
	Value, Text, Arg string
	Money            topup.Money
}

// paymentSteps are offered on a payment's page, in this order.
var paymentSteps = []string{"credit", "refund", "recall", "close"}

var stepRules = map[string]stepRule{
	"credit": {
		possible: func(b topup.Book) error { _, err := topup.DecideCredit(b); return err },
		steps:    oneStep(func(q *stepRequest) store.Step { return store.CreditStep{PaymentID: q.id} }),
	},
	"refund": {
		possible: func(b topup.Book) error {
			if len(b.Standing()) == 0 {
				return topup.Conflict("nothing of this payment is credited")
			}
			return nil
		},
		inputs: []input{
			{Name: "amount", Label: "field.amount", Required: true, Decimal: true}, {Name: "from", Label: "refund.from"},
			{Name: "operation", Label: "field.operation"}, {Name: "transaction", Label: "refund.transaction"},
		},
		options: refundOptions, fill: fillRefund, steps: refundSteps,
		danger: true,
	},
	"recall": {
		possible: func(b topup.Book) error { _, err := topup.DecideRecall(b); return err },
		steps:    oneStep(func(q *stepRequest) store.Step { return store.RecallStep{PaymentID: q.id} }),
		danger:   true,
	},
	"close": {
		possible: topup.DecideClose,
		steps:    oneStep(func(q *stepRequest) store.Step { return store.CloseStep{PaymentID: q.id} }),
		danger:   true,
	},
	"reverse": {
		steps:  oneStep(func(q *stepRequest) store.Step { return store.ReverseStep{TransactionID: q.id} }),
		danger: true,
	},
	"assign": {
		carried: []string{"item", "customer_id", "entity_id"},
		steps:   assignSteps,
	},
	"return": {
		carried: []string{"item"},
		steps:   returnSteps,
		danger:  true,
	},
	"suspend": {
		inputs: []input{
			{Name: "amount", Label: "field.amount", Decimal: true}, {Name: "currency", Label: "field.currency"},
			{Name: "operation", Label: "field.operation"}, {Name: "reference", Label: "field.reference"},
		},
		steps: suspendSteps,
	},
	"post": {
		carried: []string{"provider", "project"},
		steps:   oneStep(func(q *stepRequest) store.Step { return store.PostPayoutStep{PayoutRef: payoutRef(q)} }),
	},
	"discard": {
		carried: []string{"provider", "project"},
		steps:   oneStep(func(q *stepRequest) store.Step { return store.DiscardPayoutStep{PayoutRef: payoutRef(q)} }),
		danger:  true,
	},
	"skip": {
		steps:  oneStep(func(q *stepRequest) store.Step { return store.SkipEventStep{EventID: q.id} }),
		danger: true,
	},
	"resend": {
		preview: onEvent,
		do: func(ctx context.Context, d *Dashboard, q *stepRequest, by store.By) error {
			return d.store.ResendEvent(ctx, q.id, by)
		},
	},
	"approve": {
		preview: previewApproval, noReason: true,
		do: func(ctx context.Context, d *Dashboard, q *stepRequest, by store.By) error {
			_, err := d.store.Approve(ctx, q.id, by)
			return err
		},
	},
	"reject": {
		preview: func(context.Context, *Dashboard, *stepRequest) ([]effect, error) { return []effect{{}}, nil },
		do: func(ctx context.Context, d *Dashboard, q *stepRequest, by store.By) error {
			return d.store.Reject(ctx, q.id, by)
		},
		danger: true,
	},
	"dismiss": {
		steps: func(_ context.Context, _ *Dashboard, q *stepRequest) ([]store.Step, error) {
			id, err := positive(q.id)
			return []store.Step{store.DismissStep{MessageID: id}}, err
		},
	},
}

// stepsOf are the steps on what an address names.
var stepsOf = map[string][]string{
	"payments":     paymentSteps,
	"transactions": {"reverse"},
	"messages":     {"suspend", "dismiss"},
	"suspense":     {"assign", "return"},
	"approvals":    {"approve", "reject"},
	"payouts":      {"post", "discard"},
	"events":       {"resend", "skip"},
}

func oneStep(make func(*stepRequest) store.Step) func(context.Context, *Dashboard, *stepRequest) ([]store.Step, error) {
	return func(_ context.Context, _ *Dashboard, q *stepRequest) ([]store.Step, error) {
		return []store.Step{make(q)}, nil
	}
}

// stepOf reads which step a request is about.
func (d *Dashboard) stepOf(r *http.Request) (*stepRequest, stepRule, error) {
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := &stepRequest{name: r.PathValue("step"), kind: kind, id: r.PathValue("id"), form: r.URL.Query()}
	if !slices.Contains(stepsOf[kind], q.name) {
		return nil, stepRule{}, errNoPage
	}
	if r.PostForm != nil {
		q.form = r.PostForm
	}
	switch kind {
	case "payments":
		q.back = paymentURL(q.id)
		noteOf(r).PaymentID = q.id
	case "transactions":
		t, err := d.store.Transaction(r.Context(), q.id)
		if err != nil {
			return nil, stepRule{}, err
		}
		q.back = "/payouts"
		if t.PaymentID != "" {
			q.back = paymentURL(t.PaymentID)
		}
	case "payouts":
		q.back = payoutURL(q.form.Get("provider"), q.form.Get("project"), q.id)
	case "suspense", "approvals", "events":
		q.back = "/" + kind
	default:
		q.back = "/" + kind + "/" + url.PathEscape(q.id)
	}
	return q, stepRules[q.name], nil
}

type stepPage struct {
	Name    string
	Action  string // where the form goes
	Back    string
	Effects []effect
	Inputs  []filledInput
	Hidden  []field
	Danger  bool
	Ready   bool // the values are there, and the step is possible
	Ask     bool // for the reason
	// Previewed are the values that the preview is of: others need another one.
	Previewed string
	Reason    string
	Problem   string // why it was not done, in the page's language
	Detail    string // of that, in English
}

type filledInput struct {
	input
	Value   string
	Options []option // none: anything
}

type field struct{ Name, Value string }

// getStep shows what a step would do, and asks for what it needs.
func (d *Dashboard) getStep(w http.ResponseWriter, r *http.Request, s *session) error {
	q, rule, err := d.stepOf(r)
	if err != nil {
		return err
	}
	if rule.fill != nil {
		values, err := rule.fill(r.Context(), d, q)
		if err != nil {
			return err
		}
		for name, value := range values {
			q.form.Set(name, value)
		}
	}
	return d.showStep(w, r, s, q, rule, nil)
}

// postStep takes a step that was confirmed; before that, it shows what it would do.
func (d *Dashboard) postStep(w http.ResponseWriter, r *http.Request, s *session) error {
	q, rule, err := d.stepOf(r)
	if err != nil {
		return err
	}
	if q.form.Get("confirm") != "1" || q.form.Get("previewed") != rule.entered(q) {
		return d.showStep(w, r, s, q, rule, nil)
	}
	said, err := d.take(w, r, s, q, rule)
	if isRefusal(err) {
		err = d.auditRefusal(w, r, s.Token, err)
	}
	if isRefusal(err) {
		return d.showStep(w, r, s, q, rule, err)
	}
	if err != nil {
		return err
	}
	d.say(s, said)
	d.figures.changed()
	d.background.changed()
	http.Redirect(w, r, q.back, http.StatusSeeOther)
	return nil
}

// take carries a step out, and returns what to tell the person.
func (d *Dashboard) take(w http.ResponseWriter, r *http.Request, s *session, q *stepRequest, rule stepRule) (string, error) {
	parts := []func(store.By) error{func(by store.By) error { return rule.do(r.Context(), d, q, by) }}
	if rule.do == nil {
		list, err := rule.steps(r.Context(), d, q)
		if err != nil {
			return "", err
		}
		parts = nil
		for _, step := range list {
			parts = append(parts, func(by store.By) error {
				_, err := d.store.Do(r.Context(), step, by)
				return err
			})
		}
	}
	said := "step." + q.name + ".done"
	for i, part := range parts {
		err := part(d.by(w, r, s, strconv.Itoa(i)))
		var answered *store.AnsweredError
		var proposed *store.ProposedError
		switch {
		case errors.As(err, &answered):
			said = "step.already"
		case errors.As(err, &proposed):
			said = "step.proposed"
		case err != nil:
			return "", err
		}
	}
	return d.printer(d.language(w, r)).Text(said), nil
}

// by says who takes a step, and makes it happen once, however often the form is
// sent. part tells apart several steps of one form.
func (d *Dashboard) by(w http.ResponseWriter, r *http.Request, s *session, part string) store.By {
	by := store.By{
		Actor: s.Name, Reason: strings.TrimSpace(r.PostForm.Get("reason")),
		Token: true, Role: s.Role, RequestID: w.Header().Get("X-Request-Id"),
	}
	key := r.PostForm.Get("key")
	if key == "" || len(key) > 64 {
		return by
	}
	content := url.Values{}
	for name, values := range r.PostForm {
		if name != "csrf" && name != "key" {
			content[name] = values
		}
	}
	hash := sha256.Sum256([]byte(r.URL.Path + "\n" + content.Encode()))
	by.Once = &store.Once{
		Key: store.IdempotencyKey{Token: s.Name, Key: "page-" + key + "-" + part, Hash: hash[:]},
		Answer: func(any) (store.Answer, error) {
			return store.Answer{Status: http.StatusSeeOther, Body: []byte("done")}, nil
		},
	}
	return by
}

// showStep shows what a step would do; refusal is why it was not done just now.
func (d *Dashboard) showStep(w http.ResponseWriter, r *http.Request, s *session, q *stepRequest, rule stepRule, refusal error) error {
	p := d.page(w, r, s, "step."+q.name+".title")
	p.Section, p.Narrow = sectionOf(q), true
	body := stepPage{Name: q.name, Action: r.URL.EscapedPath(), Back: q.back, Danger: rule.danger, Reason: q.form.Get("reason"), Hidden: rule.hidden(q), Ask: !rule.noReason, Previewed: rule.entered(q)}
	var options map[string][]option
	if rule.options != nil {
		var err error
		if options, err = rule.options(r.Context(), d, q); err != nil {
			return err
		}
	}
	ready := true
	for _, in := range rule.inputs {
		filled := filledInput{in, q.form.Get(in.Name), options[in.Name]}
		if options != nil && in.Name == "transaction" && len(filled.Options) < 2 {
			continue // there is nothing to choose
		}
		body.Inputs = append(body.Inputs, filled)
		ready = ready && (!in.Required || q.form.Get(in.Name) != "")
	}
	var err error
	if ready {
		if body.Effects, err = d.preview(r.Context(), s, q, rule); err != nil && !isRefusal(err) {
			return err
		}
	}
	body.Ready = ready && err == nil
	for _, e := range body.Effects {
		body.Ready = body.Ready && e.Problem == ""
	}
	status, print := http.StatusOK, d.printer(p.Language)
	switch {
	case refusal != nil:
		status = statusOf(refusal)
		body.Problem, body.Detail = print.Text("step.not_done"), refusal.Error()
	case err != nil:
		status = statusOf(err)
		body.Problem, body.Detail = print.Text("step.refused"), err.Error()
	}
	d.show(w, r, status, "step", p, body)
	return nil
}

// entered are the values that a person has entered, in one text.
func (rule stepRule) entered(q *stepRequest) string {
	values := url.Values{}
	for _, in := range rule.inputs {
		values.Set(in.Name, q.form.Get(in.Name))
	}
	return values.Encode()
}

// hidden are the values that the form carries on from the page before.
func (rule stepRule) hidden(q *stepRequest) []field {
	var list []field
	for _, name := range rule.carried {
		for _, value := range q.form[name] {
			if value != "" {
				list = append(list, field{name, value})
			}
		}
	}
	for _, item := range q.form["item"] { // what each item goes to
		if value := q.form.Get("to_" + item); value != "" {
			list = append(list, field{"to_" + item, value})
		}
	}
	return list
}

func sectionOf(q *stepRequest) string {
	if q.kind == "transactions" {
		return "payments"
	}
	return q.kind
}

// preview is what a form's steps would post now. Nothing is written.
func (d *Dashboard) preview(ctx context.Context, s *session, q *stepRequest, rule stepRule) ([]effect, error) {
	if rule.preview != nil {
		return rule.preview(ctx, d, q)
	}
	list, err := rule.steps(ctx, d, q)
	if err != nil {
		return nil, err
	}
	var effects []effect
	for _, step := range list {
		would, err := d.store.Preview(ctx, step, store.By{Actor: s.Name, Token: true, Role: s.Role})
		if err != nil && (!isRefusal(err) || q.id != "" && statusOf(err) == http.StatusNotFound) {
			return nil, err // what the address names is not there
		}
		if err != nil {
			effects = append(effects, effect{Problem: err.Error(), Item: itemOf(step)})
			continue
		}
		effects = append(effects, effect{Transactions: would, Money: moved(would), Item: itemOf(step)})
	}
	return effects, nil
}

// itemOf is the suspense item that a step is about, "" for none or several.
func itemOf(step store.Step) string {
	switch step := step.(type) {
	case store.ReturnStep:
		return step.Item
	case store.AssignListStep:
		if len(step.List) == 1 {
			return step.List[0].Item
		}
	}
	return ""
}

// moved is the sum that transactions of one currency move; the zero value for
// none, or for several currencies.
func moved(list []topup.Transaction) topup.Money {
	var sum topup.Money
	for _, t := range list {
		for _, p := range t.Postings {
			if p.Amount <= 0 {
				continue
			}
			if sum.Currency != "" && sum.Currency != p.Currency {
				return topup.Money{}
			}
			total, err := topup.Add(sum.Amount, p.Amount)
			if err != nil {
				return topup.Money{}
			}
			sum = topup.Money{Amount: total, Currency: p.Currency}
		}
	}
	return sum
}

// items are the suspense items that a form has chosen.
func (q *stepRequest) items() ([]string, error) {
	list := q.form["item"]
	if len(list) == 0 {
		return nil, topup.Invalid("item", "must be chosen: mark at least one item in the list")
	}
	if len(list) > store.MaxAssignments {
		return nil, topup.Invalid("item", "must be at most %d at once", store.MaxAssignments)
	}
	return list, nil
}

// assignSteps give items to contracts, all in one step: an item's own choice, else
// the one contract that was entered for all.
func assignSteps(ctx context.Context, d *Dashboard, q *stepRequest) ([]store.Step, error) {
	items, err := q.items()
	if err != nil {
		return nil, err
	}
	var entered store.Assignment
	if customer := strings.TrimSpace(q.form.Get("customer_id")); customer != "" {
		if entered, err = d.contractEntered(ctx, customer, q.form.Get("entity_id")); err != nil {
			return nil, err
		}
	}
	var step store.AssignListStep
	for _, item := range items {
		a := entered
		if own, err := url.ParseQuery(q.form.Get("to_" + item)); err == nil && own.Get("customer") != "" {
			a.CustomerID, a.ContractID = own.Get("customer"), own.Get("contract")
		}
		if a.Item = item; a.CustomerID == "" {
			return nil, topup.Invalid("entity_id", "must be chosen: say to which contract each item goes")
		}
		step.List = append(step.List, a)
	}
	return []store.Step{step}, nil
}

// contractEntered finds the contract that a person has entered: the customer by
// the id or a telephone number, the contract by its id or number, or by nothing
// when the customer has one.
func (d *Dashboard) contractEntered(ctx context.Context, customer, contract string) (a store.Assignment, err error) {
	accounts, err := d.accountsNamed(ctx, customer)
	switch {
	case err != nil:
		return a, err
	case len(accounts) == 0:
		return a, topup.NotFound("account does not exist")
	case len(accounts) > 1:
		return a, topup.Invalid("customer_id", "could be one of several accounts: enter it as it is stored")
	}
	a.CustomerID, a.ContractID = accounts[0].CustomerID, contractNamed(accounts[0], contract)
	if a.ContractID == "" {
		return a, topup.Invalid("entity_id", "must be one of the account's contracts: enter its id or its number")
	}
	return a, nil
}

// contractNamed is the id of an account's contract by its id or number; with
// neither, of the only one that is open. It is empty when there is no such one.
func contractNamed(a *topup.Account, text string) string {
	text = strings.TrimSpace(text)
	var open []string
	for _, c := range a.Contracts {
		if text != "" && (c.ID == text || c.Number == text) {
			return c.ID
		}
		if !c.Closed {
			open = append(open, c.ID)
		}
	}
	if text == "" && len(open) == 1 {
		return open[0]
	}
	return ""
}

// returnSteps book that items go back, each by itself.
func returnSteps(_ context.Context, _ *Dashboard, q *stepRequest) ([]store.Step, error) {
	items, err := q.items()
	if err != nil {
		return nil, err
	}
	list := make([]store.Step, len(items))
	for i, item := range items {
		list[i] = store.ReturnStep{Item: item}
	}
	return list, nil
}

func suspendSteps(_ context.Context, _ *Dashboard, q *stepRequest) ([]store.Step, error) {
	id, err := positive(q.id)
	if err != nil {
		return nil, errNoPage
	}
	step := store.SuspendStep{
		MessageID: id, Operation: q.text("operation"), Reference: q.text("reference"), Currency: strings.ToUpper(q.text("currency")),
	}
	if text := q.text("amount"); text != "" {
		money, err := enteredMoney(text, step.Currency)
		if err != nil {
			return nil, err
		}
		step.Amount = money.Amount
	}
	return []store.Step{step}, nil
}

// text is a value of the form, without blanks around it.
func (q *stepRequest) text(name string) string { return strings.TrimSpace(q.form.Get(name)) }

// enteredMoney is an amount as a person enters it, in major units.
func enteredMoney(text, currency string) (topup.Money, error) {
	digits, known := topup.Digits(currency)
	if !known {
		return topup.Money{}, topup.Invalid("currency", "must be given with the amount, such as KZT")
	}
	major, err := topup.ParseMajor(plainAmount(text))
	if err != nil {
		return topup.Money{}, topup.Invalid("amount", "%v", err)
	}
	minor, ok := major.Minor(digits)
	if !ok {
		return topup.Money{}, topup.Invalid("amount", "must have at most %d digits behind the point", digits)
	}
	return topup.Money{Amount: minor, Currency: currency}, nil
}

// positive reads a whole number of at least 1.
func positive(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, errNoPage
	}
	return n, nil
}
