package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// ApprovalExpiry is how long a proposal waits for a second person.
const ApprovalExpiry = 7 * 24 * time.Hour

const (
	approvalPrefix = "ap_"
	// maxStepParams bounds the parameters of a step that is proposed.
	maxStepParams = 1 << 20
	// maxShownPreview is how many ledger transactions of a preview are kept.
	maxShownPreview = MaxAssignments
)

// ApprovalStatus is what has become of a proposal.
type ApprovalStatus string

// The states of a proposal. An approval that was refused leaves it proposed.
const (
	ApprovalProposed ApprovalStatus = "proposed"
	ApprovalApproved ApprovalStatus = "approved"
	ApprovalRejected ApprovalStatus = "rejected"
	ApprovalExpired  ApprovalStatus = "expired"
)

// Actions on proposals, in the audit.
const (
	ActionApprove Action = "approve"
	ActionReject  Action = "reject"
)

// ProposedError says that a step waits for a second person. Nothing was posted,
// and nothing went wrong.
type ProposedError struct{ ApprovalID string }

func (e *ProposedError) Error() string {
	return "the step needs a second person: it was proposed as " + e.ApprovalID
}

// Approval is an operator's step that needs a second person.
type Approval struct {
	ID        string
	Status    ApprovalStatus
	At        time.Time
	ExpiresAt time.Time
	Action    Action
	Step      string          // the step's name
	Object    string          // what it is about
	Params    json.RawMessage // the step's parameters, an object
	// Preview are the ledger transactions that the step would have posted when it
	// was proposed, the first 250; they have no ids.
	Preview []PreviewedTransaction
	// By is who proposed it, why, and as of which day; the zero Day is that of the
	// approval.
	By By
	// Decision is nil while nobody has decided.
	Decision *ApprovalDecision
	// Parts are those of a report's proposal of more than [MaxReported] payments,
	// else 0, and Payments is how many it has.
	Parts, Payments int
}

// PreviewedTransaction is a ledger transaction that a step would post.
type PreviewedTransaction struct {
	Kind      topup.TransactionKind `json:"kind"`
	PaymentID string                `json:"payment_id,omitempty"` // empty: of a payment that it would open, or of none
	PayoutID  string                `json:"payout_id,omitempty"`
	Reverses  string                `json:"reverses,omitempty"`
	Resolves  string                `json:"resolves,omitempty"`
	Takes     string                `json:"takes,omitempty"`
	Postings  []topup.Posting       `json:"postings"`
}

// Previewed shows what [Store.Preview] returned, at most 250 of it.
func Previewed(list []topup.Transaction) []PreviewedTransaction {
	shown := make([]PreviewedTransaction, 0, min(len(list), maxShownPreview))
	for _, t := range list[:min(len(list), maxShownPreview)] {
		shown = append(shown, PreviewedTransaction{t.Kind, t.PaymentID, t.PayoutID, t.Reverses, t.Resolves, t.Takes, t.Postings})
	}
	return shown
}

// ApprovalDecision is who approved or rejected a proposal.
type ApprovalDecision struct {
	At       time.Time
	Approved bool
	By       By
	// Transactions are the ids of what was posted, the first 250; none of a
	// rejected one.
	Transactions []string
	// PartsLeft is how many parts of an approved proposal are still to be carried
	// out: approving it again does so.
	PartsLeft int
}

// propose writes a step down for a second person, if it could be carried out
// now. The error is a *ProposedError when it did.
func (s *Store) propose(ctx context.Context, step Step, by By) error {
	would, err := s.preview(ctx, step, by)
	if err != nil {
		return err
	}
	row := proposalRow{step: step.kind(), action: step.Action(), object: step.Object(), params: step, would: would}
	err = s.stepOnce(ctx, by, nil, func(tx *wtx) (any, error) {
		made, err := newID(approvalPrefix, tx.now(), tx.entropy)
		if err != nil {
			return nil, err
		}
		row.id = made
		if err := tx.writeProposal(row, by); err != nil {
			return nil, err
		}
		return &ProposedError{made}, tx.audit(by, Audited{step.Action(), step.Object(), ResultProposed, made})
	})
	if err != nil {
		return err
	}
	return &ProposedError{row.id}
}

// proposalRow is what a proposal keeps of a step.
type proposalRow struct {
	id, step string
	action   Action
	object   string
	params   any
	would    []topup.Transaction
}

func (tx *wtx) writeProposal(p proposalRow, by By) error {
	params, err := json.Marshal(p.params)
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	if len(params) > maxStepParams {
		return topup.Invalid("step", "is too large to be proposed: split it")
	}
	preview, err := json.Marshal(Previewed(p.would))
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	byToken := 0
	if by.Token {
		byToken = 1
	}
	now := tx.now()
	err = tx.gorm().Exec(`INSERT INTO approvals (`+proposalColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.id, micros(now), micros(now.Add(ApprovalExpiry)), p.step, string(p.action), auditText(p.object, maxAuditObject),
		string(params), string(preview), nullMicros(by.Effective.Start), nullMicros(by.Effective.End),
		by.Actor, byToken, by.OSUser, by.Role, by.Reason, auditText(by.RequestID, maxAuditObject)).Error
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	return nil
}

const proposalColumns = `id, at, expires_at, step, action, object, params, preview, effective_start, effective_end, actor, by_token, os_user, role, reason, request_id`

const approvalsSQL = `SELECT a.id, a.at, a.expires_at, a.step, a.action, a.object, a.params, a.preview, coalesce(a.effective_start, 0), coalesce(a.effective_end, 0),
	a.actor, a.by_token, a.os_user, a.role, a.reason, a.request_id,
	coalesce(d.decision, ''), coalesce(d.at, 0), coalesce(d.actor, ''), coalesce(d.os_user, ''), coalesce(d.role, ''), coalesce(d.reason, ''), coalesce(d.request_id, '')
	FROM approvals a LEFT JOIN approval_decisions d ON d.approval_id = a.id
	WHERE %s ORDER BY a.id DESC LIMIT ?`

// openApprovals is the condition of those that can still be approved, or of which a
// part is still to be carried out. Ids begin with the time of the proposal, so that
// only those of the last days are read.
const openApprovals = ` AND a.id >= ? AND (a.expires_at > ? AND d.approval_id IS NULL OR a.step = '` + reportKind + `' AND d.decision = 'approved' AND EXISTS (
	SELECT 1 FROM approvals p LEFT JOIN approval_decisions q ON q.approval_id = p.id WHERE p.id > a.id || '.' AND p.id < a.id || '/' AND q.approval_id IS NULL))`

// unfinishedListed is how long an approved proposal is listed as open of which a part
// was not carried out.
const unfinishedListed = 4 * ApprovalExpiry

// ApprovalFilter selects proposals. The zero value selects all.
type ApprovalFilter struct {
	Open   bool   // those that can still be approved
	Limit  int    // 1 to 500, 50 if zero
	Cursor string // what the page before returned as next
}

// Approvals returns a page of proposals, the newest first, and the cursor of the
// next page, empty when this is the last.
func (s *Store) Approvals(ctx context.Context, f ApprovalFilter) (page []Approval, next string, err error) {
	limit, err := pageSize(f.Limit, defaultPage, maxPage)
	if err != nil {
		return nil, "", err
	}
	where, args := "a.step <> '"+reportPartKind+"'", []any(nil)
	if f.Open {
		now := s.now()
		where, args = where+openApprovals, append(args, engine.FirstID(approvalPrefix, now.Add(-unfinishedListed)), micros(now))
	}
	if f.Cursor != "" {
		parts, err := decodeCursor(f.Cursor, 1)
		if err != nil {
			return nil, "", err
		}
		where, args = where+" AND a.id < ?", append(args, parts[0])
	}
	page, err = readApprovals(s.outside(ctx), s.now(), where, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = encodeCursor(page[limit-1].ID)
	}
	return page, next, nil
}

// Approval returns a proposal; the error is of KindNotFound when there is none.
func (s *Store) Approval(ctx context.Context, id string) (Approval, error) {
	return readApproval(s.outside(ctx), s.now(), id)
}

func readApproval(ask query, now time.Time, id string) (Approval, error) {
	list, err := readApprovals(ask, now, "a.id = ?", id, 1)
	if err != nil {
		return Approval{}, err
	}
	if len(list) == 0 {
		return Approval{}, topup.NotFound("proposal does not exist")
	}
	return list[0], nil
}

func readApprovals(ask query, now time.Time, where string, args ...any) ([]Approval, error) {
	rows, err := ask(fmt.Sprintf(approvalsSQL, where), args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read proposals: %w", err)
	}
	list, err := scanApprovals(rows, now)
	if err != nil {
		return nil, fmt.Errorf("read proposals: %w", err)
	}
	for i := range list {
		if list[i].Step == reportKind {
			if err := list[i].readParts(ask); err != nil {
				return nil, err
			}
		}
		d := list[i].Decision
		if d == nil || !d.Approved {
			continue
		}
		above, below := partsOf(list[i].ID)
		rows, err := ask(`SELECT t.transaction_id FROM approved_transactions x JOIN transactions t ON t.seq = x.seq
			WHERE x.approval_id = ? OR x.approval_id > ? AND x.approval_id < ? ORDER BY x.seq LIMIT ?`, list[i].ID, above, below, maxShownPreview).Rows()
		if err == nil {
			d.Transactions, err = scanTexts(rows)
		}
		if err != nil {
			return nil, fmt.Errorf("read what was approved: %w", err)
		}
	}
	return list, nil
}

func scanApprovals(rows *sql.Rows, now time.Time) (list []Approval, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a Approval
		var d ApprovalDecision
		var at, expires, start, end, byToken, decidedAt int64
		var params, preview, decision string
		err := rows.Scan(&a.ID, &at, &expires, &a.Step, (*string)(&a.Action), &a.Object, &params, &preview, &start, &end,
			&a.By.Actor, &byToken, &a.By.OSUser, &a.By.Role, &a.By.Reason, &a.By.RequestID,
			&decision, &decidedAt, &d.By.Actor, &d.By.OSUser, &d.By.Role, &d.By.Reason, &d.By.RequestID)
		if err != nil {
			return nil, err
		}
		a.At, a.ExpiresAt, a.Params = fromMicros(at), fromMicros(expires), json.RawMessage(params)
		a.By.Token, a.By.Effective = byToken != 0, Day{Start: fromMicros(start), End: fromMicros(end)}
		if err := json.Unmarshal([]byte(preview), &a.Preview); err != nil {
			return nil, fmt.Errorf("the preview of %s: %w", a.ID, err)
		}
		switch {
		case decision != "":
			a.Status = ApprovalStatus(decision)
			d.At, d.Approved = fromMicros(decidedAt), a.Status == ApprovalApproved
			a.Decision = &d
		case now.Before(a.ExpiresAt):
			a.Status = ApprovalProposed
		default:
			a.Status = ApprovalExpired
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// shows reports whether the preview, which the approver has seen, is of these
// transactions; of a report, whether they are some of it.
func (a *Approval) shows(step Step, made []topup.Transaction) bool {
	seen := a.Preview
	if _, ok := step.(ApplyReportStep); ok {
		seen = slices.DeleteFunc(slices.Clone(seen), func(p PreviewedTransaction) bool {
			return !slices.ContainsFunc(made, func(t topup.Transaction) bool { return t.PaymentID == p.PaymentID })
		})
	}
	return slices.EqualFunc(seen, Previewed(made), func(seen, now PreviewedTransaction) bool {
		return seen.Kind == now.Kind && (seen.PaymentID == "" || seen.PaymentID == now.PaymentID) && seen.PayoutID == now.PayoutID &&
			seen.Reverses == now.Reverses && seen.Resolves == now.Resolves && seen.Takes == now.Takes && slices.Equal(seen.Postings, now.Postings)
	})
}

// step is the proposed step.
func (a *Approval) step() (Step, error) {
	if a.Step == reportPartKind {
		return nil, topup.Conflict("this is a part of %s: approve that", wholeOf(a.ID))
	}
	decode, known := stepKinds[a.Step]
	if !known {
		return nil, topup.Conflict("a newer version of tolem has proposed this: approve it with that")
	}
	step, err := decode(a.Params)
	if err != nil {
		return nil, fmt.Errorf("the parameters of %s: %w", a.ID, err)
	}
	if report, ok := step.(ApplyReportStep); ok {
		return report.asFarAsPossible(), nil
	}
	return step, nil
}

// refuseDecided refuses to decide again, or too late.
func (a *Approval) refuseDecided() error {
	switch a.Status {
	case ApprovalProposed:
		return nil
	case ApprovalExpired:
		return topup.Conflict("this proposal has expired: propose the step again")
	}
	return topup.Conflict("this proposal was %s by %s", a.Status, a.Decision.By.Actor)
}

// refuseApprover refuses whoever is no second person. The role is looked at here
// too: the store enforces it, whoever calls.
func (a *Approval) refuseApprover(by By) error {
	switch {
	case !by.Token:
		return topup.Forbidden("only the bearer of a token counts as a second person: give --token-file")
	case by.Role != "admin" && by.Role != "operator":
		return topup.Forbidden("a token with the role admin or operator is needed to approve")
	case by.Actor == a.By.Actor || by.Actor == a.By.OSUser:
		return topup.Forbidden("%s has proposed this step: another person must approve it", by.Actor)
	}
	return nil
}

// PreviewApproval returns what approving a proposal would post now, as
// [Store.Preview].
func (s *Store) PreviewApproval(ctx context.Context, id string) ([]topup.Transaction, error) {
	a, err := s.Approval(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.Step == reportKind {
		return s.previewReport(ctx, &a, maxShownPreview)
	}
	step, err := a.step()
	if err != nil {
		return nil, err
	}
	return s.Preview(ctx, step, a.By)
}

// Approve carries out a proposed step, as of now, and returns the ledger
// transactions that it made: their actor and reason are the proposer's, the
// approver is stored beside them. Everything is decided again.
//
// Of a report, what can still be credited is credited, and the audit names what is
// left out, such as a payment that a callback has credited meanwhile. More than
// [MaxReported] payments are credited in parts, each in a write of its own, with its
// decision. When that is interrupted, approving the proposal again carries out the
// parts that are left, even after it would have expired. At most 250 transactions are
// returned.
//
// Errors: KindNotFound when there is no such proposal; KindForbidden when by is
// no second person; KindConflict when it was decided, has expired, or when the
// step is impossible by now: then it stays, and can be approved later.
func (s *Store) Approve(ctx context.Context, id string, by By) ([]topup.Transaction, error) {
	if err := checkNote("actor", by.Actor, maxActorBytes); err != nil {
		return nil, err
	}
	made, err := s.approve(ctx, id, by)
	if err != nil {
		return nil, fmt.Errorf("approve %s: %w", id, s.auditRefusal(ctx, by, ActionApprove, id, err))
	}
	return made, nil
}

func (s *Store) approve(ctx context.Context, id string, by By) ([]topup.Transaction, error) {
	a, err := s.Approval(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.Step == reportKind {
		return s.approveReport(ctx, id, by)
	}
	step, err := a.step()
	if err != nil {
		return nil, err
	}
	about, err := s.prepareStep(ctx, step)
	if err != nil {
		return nil, err
	}
	var done []topup.Transaction
	err = s.stepOnce(ctx, by, about, func(tx *wtx) (any, error) {
		if err := tx.refuseDecision(id, by, ApprovalApproved); err != nil {
			return nil, err
		}
		made, err := stepRun{tx, s, about, a.By}.do(step)
		if err != nil {
			return nil, err
		}
		if report, ok := step.(ApplyReportStep); ok && len(made) == 0 {
			return nil, errors.Join(*report.leftOut...)
		}
		if err := tx.writeDecision(id, by, ApprovalApproved); err != nil {
			return nil, err
		}
		done = made
		return made, tx.noteApproved(&a, step, made, by, by)
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// Reject ends a proposal. Anybody may who may take steps, the proposer too.
//
// Errors: KindNotFound when there is no such proposal; KindConflict when it was
// decided or has expired.
func (s *Store) Reject(ctx context.Context, id string, by By) error {
	if err := by.check(); err != nil {
		return err
	}
	err := s.stepOnce(ctx, by, nil, func(tx *wtx) (any, error) {
		if whole := wholeOf(id); whole != id {
			return nil, topup.Conflict("this is a part of %s: reject that", whole)
		}
		if err := tx.refuseDecision(id, by, ApprovalRejected); err != nil {
			return nil, err
		}
		if err := tx.writeDecision(id, by, ApprovalRejected); err != nil {
			return nil, err
		}
		if err := tx.audit(by, Audited{ActionReject, id, ResultDone, ""}); err != nil {
			return nil, err
		}
		a, err := readApproval(tx.raw, tx.now(), id)
		return &a, err
	})
	if err != nil {
		return fmt.Errorf("reject %s: %w", id, s.auditRefusal(ctx, by, ActionReject, id, err))
	}
	return nil
}

// refuseDecision refuses what must not become of a proposal, which nobody else
// decides until this write has ended.
func (tx *wtx) refuseDecision(id string, by By, decision ApprovalStatus) error {
	if err := tx.lockKey("approval", id); err != nil {
		return err
	}
	a, err := readApproval(tx.raw, tx.now(), id)
	if err != nil {
		return err
	}
	if decision == ApprovalApproved {
		if err := a.refuseApprover(by); err != nil {
			return err
		}
	}
	return a.refuseDecided()
}

func (tx *wtx) writeDecision(id string, by By, decision ApprovalStatus) error {
	err := tx.gorm().Exec(`INSERT INTO approval_decisions (approval_id, at, decision, actor, os_user, role, reason, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		id, micros(tx.now()), string(decision), by.Actor, by.OSUser, by.Role, by.Reason, auditText(by.RequestID, maxAuditObject)).Error
	if err != nil {
		return fmt.Errorf("write the decision: %w", err)
	}
	return nil
}
