package commands

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// approvalPage is how many proposals are read at a time.
const approvalPage = 500

// approvalsCommands are for the second person.
type approvalsCommands struct {
	List    approvalsListCommand    `cmd:"" help:"List the steps that wait for a second person."`
	Show    approvalsShowCommand    `cmd:"" help:"Show a proposed step and what approving it would post."`
	Approve approvalsApproveCommand `cmd:"" help:"Approve a proposed step with a token, and carry it out."`
	Reject  approvalsRejectCommand  `cmd:"" help:"Reject a proposed step."`
}

// approvalsListCommand lists proposals.
type approvalsListCommand struct {
	console.JSONFlag
	All bool `help:"List approved, rejected and expired ones too."`
}

// Help is shown by --help.
func (approvalsListCommand) Help() string {
	return `Steps that four_eyes names are proposed, and posted when another person has approved them. A proposal that nobody has approved within 7 days expires.

Example:

  tolem approvals list
  tolem approvals list --all --json`
}

// Run lists.
func (c *approvalsListCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		l := p.List(c.JSON, "APPROVAL", "STATUS", "STEP", "OBJECT", "WOULD POST", "PROPOSED BY", "REASON", "PROPOSED", "EXPIRES")
		filter := store.ApprovalFilter{Open: !c.All, Limit: approvalPage}
		for {
			page, next, err := b.Approvals(ctx, filter)
			if err != nil {
				return err
			}
			for i := range page {
				a := &page[i]
				err := l.Add(view.ApprovalOf(a), a.ID, approvalStatus(a), string(a.Action), a.Object, wouldPost(a),
					proposer(a), a.By.Reason, console.When(a.At, b.Config.Location()), console.When(a.ExpiresAt, b.Config.Location()))
				if err != nil {
					return err
				}
			}
			if next == "" {
				return l.End()
			}
			filter.Cursor = next
		}
	})
}

// proposer names who proposed a step, the system's user beside what --actor said.
func proposer(a *store.Approval) string {
	if a.By.OSUser != "" && a.By.OSUser != a.By.Actor {
		return a.By.OSUser + " as " + a.By.Actor
	}
	return a.By.Actor
}

// approvalStatus says too what of an approved proposal is still to be carried out.
func approvalStatus(a *store.Approval) string {
	if d := a.Decision; d != nil && d.PartsLeft > 0 {
		return fmt.Sprintf("%s, %d of %d parts left", a.Status, d.PartsLeft, a.Parts)
	}
	return string(a.Status)
}

// wouldPost is one line about what a step would post.
func wouldPost(a *store.Approval) string {
	if a.Parts > 0 {
		return fmt.Sprintf("%d transactions", a.Payments)
	}
	return previewSummary(a.Preview)
}

// previewSummary is one line about what a step would post.
func previewSummary(list []store.PreviewedTransaction) string {
	if len(list) == 0 {
		return "-"
	}
	var sums []topup.Money
	for _, t := range list {
		for _, posting := range t.Postings {
			if posting.Amount > 0 {
				sums = addMoney(sums, topup.Money{Amount: posting.Amount, Currency: posting.Currency})
			}
		}
	}
	texts := make([]string, len(sums))
	for i, sum := range sums {
		texts[i] = sum.String()
	}
	text := strings.Join(texts, ", ")
	if len(list) > 1 {
		text = fmt.Sprintf("%d transactions, %s", len(list), text)
	}
	return text
}

func addMoney(sums []topup.Money, m topup.Money) []topup.Money {
	for i := range sums {
		if sums[i].Currency == m.Currency {
			sums[i].Amount += m.Amount
			return sums
		}
	}
	return append(sums, m)
}

// approvalsShowCommand shows a proposal.
type approvalsShowCommand struct {
	console.JSONFlag
	ID string `arg:"" help:"The proposal's id, as approvals list has it."`
}

// Help is shown by --help.
func (approvalsShowCommand) Help() string {
	return `Shows the step, who proposed it and why, what it would have posted then, and, while it waits, whether it can be approved now.

Example:

  tolem approvals show ap_01KAM3Y8S2K9YH3GB2M3Y7E1QZ`
}

// Run shows it.
func (c *approvalsShowCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		a, err := b.Approval(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.PrintJSON(view.ApprovalOf(&a))
		}
		now := ""
		if a.Status == store.ApprovalProposed {
			now = "can be approved"
			if _, err := b.PreviewApproval(ctx, c.ID); err != nil {
				now = "would be refused: " + err.Error()
			}
		}
		return printApproval(p, b, &a, now)
	})
}

func printApproval(p *console.Program, b console.Books, a *store.Approval, now string) error {
	zone := b.Config.Location()
	t := p.Table()
	t.Row("approval", a.ID)
	t.Row("status", approvalStatus(a))
	t.Row("step", string(a.Action)+" "+a.Object)
	t.Row("parameters", string(a.Params))
	t.Row("proposed by", proposer(a)+": "+a.By.Reason)
	t.Row("proposed", console.When(a.At, zone))
	if day := a.By.Effective; !day.Start.IsZero() {
		t.Row("effective", console.When(day.Start, zone))
	}
	t.Row("expires", console.When(a.ExpiresAt, zone))
	for _, would := range a.Preview {
		t.Row("would post", strings.TrimSpace(string(would.Kind)+" "+would.PaymentID+would.PayoutID))
		for _, posting := range would.Postings {
			t.Row(side(posting.Amount), posting.Account, topup.Money{Amount: max(posting.Amount, -posting.Amount), Currency: posting.Currency}.String())
		}
	}
	if more := a.Payments - len(a.Preview); a.Parts > 0 && more > 0 {
		t.Row("would post", fmt.Sprintf("%d more", more))
	}
	t.RowIf("now", now)
	if d := a.Decision; d != nil {
		t.Row(string(a.Status)+" by", strings.TrimSuffix(d.By.Actor+": "+d.By.Reason, ": "))
		t.Row("on", console.When(d.At, zone))
		for _, id := range d.Transactions {
			t.Row("transaction", id)
		}
	}
	return t.Flush()
}

// approvalsApproveCommand approves.
type approvalsApproveCommand struct {
	console.JSONFlag
	ID        string `arg:"" help:"The proposal's id, as approvals list has it."`
	TokenFile string `required:"" placeholder:"F" help:"A file with the token of the person who approves: one of admin.tokens, with the role admin or operator."`
}

// Help is shown by --help.
func (approvalsApproveCommand) Help() string {
	return `The second person is the bearer of one of admin.tokens of the server, as serve has written them into the database; the system's user and --actor do not count. Who proposed the step cannot approve it. The step is checked again as of now, and posted; when it has become impossible, the command says why, and the proposal stays.

Example:

  tolem approvals approve ap_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --token-file ~/tolem.token`
}

// Run approves.
func (c *approvalsApproveCommand) Run(ctx context.Context, p *console.Program) error {
	presented, err := readToken(c.TokenFile)
	if err != nil {
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		made, err := b.ApproveWithToken(ctx, c.ID, presented, store.By{Actor: console.OSUser(), OSUser: console.OSUser(), Role: store.RoleCommand})
		if err != nil {
			return err
		}
		if c.JSON {
			list := make([]view.Transaction, len(made))
			for i, t := range made {
				list[i] = view.TransactionOf(t)
			}
			return p.PrintJSON(list)
		}
		for _, t := range made {
			if err := printTransaction(p, b, t); err != nil {
				return err
			}
		}
		a, err := b.Approval(ctx, c.ID)
		if err != nil || a.Parts == 0 {
			return err
		}
		return p.Println(fmt.Sprintf("all %d parts of this report's %d payments are carried out; these are the first %d transactions", a.Parts, a.Payments, len(made)))
	})
}

// maxTokenFile is far more than a token has, in bytes.
const maxTokenFile = 4 << 10

func readToken(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxTokenFile+1))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	if len(data) > maxTokenFile {
		return "", fmt.Errorf("--token-file: %s is larger than a token", path)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// approvalsRejectCommand rejects.
type approvalsRejectCommand struct {
	console.JSONFlag
	ID     string `arg:"" help:"The proposal's id, as approvals list has it."`
	Reason string `required:"" placeholder:"TEXT" help:"The reason; recorded with the proposal."`
	Actor  string `placeholder:"NAME" help:"The actor; recorded beside the system's user. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// Validate is called by kong: an empty reason is no reason.
func (c approvalsRejectCommand) Validate() error {
	return console.Operator{Reason: c.Reason}.Validate()
}

// Help is shown by --help.
func (approvalsRejectCommand) Help() string {
	return `Ends a proposal: nothing is posted. Its proposer may do so too.

Example:

  tolem approvals reject ap_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --reason "wrong contract, ticket 4711"`
}

// Run rejects.
func (c *approvalsRejectCommand) Run(ctx context.Context, p *console.Program) error {
	return p.AsOperator(ctx, console.Operator{Reason: c.Reason, Actor: c.Actor}, func(b console.Books, by store.By) error {
		if err := b.Reject(ctx, c.ID, by); err != nil {
			return err
		}
		if c.JSON {
			a, err := b.Approval(ctx, c.ID)
			if err != nil {
				return err
			}
			return p.PrintJSON(view.ApprovalOf(&a))
		}
		return p.Println("proposal " + c.ID + " was rejected")
	})
}
