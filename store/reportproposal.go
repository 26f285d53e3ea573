package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tolem/topup"
)

// A report's credits are one proposal, however many they are. Those of more than
// [MaxReported] payments are kept in parts of as many, each a row of approvals
// whose id is that of the whole with a number. Parts are carried out in their
// order, each in a write of its own, with a decision of its own: what has no
// decision is still to be done. The whole is decided in the write that carries out
// the first part; whoever approves it again carries out what is left.
const (
	reportKind     = "report"      // the whole; its parameters are a reportSummary
	reportPartKind = "report_part" // a part; its parameters are an ApplyReportStep
)

// reportSummary are the parameters of a proposal in parts.
type reportSummary struct {
	Provider string        `json:"provider"`
	Project  string        `json:"project"`
	Payments int           `json:"payments"`
	Parts    int           `json:"parts"`
	Sums     []topup.Money `json:"sums"`
}

// nextPartSQL is the first part of a proposal that is not carried out; its arguments
// are those of partsAfter.
const nextPartSQL = `SELECT min(p.id) FROM approvals p LEFT JOIN approval_decisions q ON q.approval_id = p.id
	WHERE p.id > ? AND p.id < ? AND q.approval_id IS NULL`

// partsOf are the bounds of the ids of a proposal's parts.
func partsOf(id string) (above, below string) { return id + ".", id + "/" }

// wholeOf is the id of the proposal that a part belongs to.
func wholeOf(part string) string {
	id, _, _ := strings.Cut(part, ".")
	return id
}

// ApplyReport credits payments as [ApplyReportStep] does, in steps of at most
// [MaxReported], and returns how many it has credited. Under four_eyes it makes one
// proposal of all, and the error is a [*ProposedError].
func (s *Store) ApplyReport(ctx context.Context, step ApplyReportStep, by By) (credited int, err error) {
	if err := by.check(); err != nil {
		return 0, fmt.Errorf("%s: %w", step.describe(), err)
	}
	list := step.sorted()
	for len(list) > 0 {
		part := step
		part.List = list[:min(len(list), MaxReported)]
		made, err := s.carryOutStep(ctx, part, by)
		if errors.Is(err, errNeedsApproval) {
			part.List = list
			err = s.proposeReport(ctx, part, by)
		}
		if proposed := (*ProposedError)(nil); errors.As(err, &proposed) {
			return credited, err
		}
		if err != nil {
			return credited, fmt.Errorf("%s: %w", part.describe(), s.auditRefusal(ctx, by, part.Action(), part.Object(), err))
		}
		credited += len(made)
		list = list[len(part.List):]
	}
	return credited, nil
}

// proposeReport is propose for any number of payments. The parts are written
// first: without the whole, which is written last, they are nothing.
func (s *Store) proposeReport(ctx context.Context, step ApplyReportStep, by By) error {
	if len(step.List) <= MaxReported {
		return s.propose(ctx, step, by)
	}
	whole := reportSummary{Provider: step.Provider, Project: step.Project, Payments: len(step.List), Sums: step.sums()}
	var id string
	err := s.writer.do(ctx, func(tx *wtx) (err error) {
		id, err = newID(approvalPrefix, tx.now(), tx.entropy)
		return err
	})
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	var first []topup.Transaction
	for list := range slices.Chunk(step.List, MaxReported) {
		part := step
		part.List = list
		would, err := s.preview(ctx, part, by)
		if err != nil {
			return err
		}
		if whole.Parts++; whole.Parts == 1 {
			first = would
		}
		row := proposalRow{id: fmt.Sprintf("%s.%06d", id, whole.Parts), step: reportPartKind, action: part.Action(), object: part.Object(), params: part, would: would}
		if err := s.writer.do(ctx, func(tx *wtx) error { return tx.writeProposal(row, by) }); err != nil {
			return err
		}
	}
	row := proposalRow{id: id, step: reportKind, action: step.Action(), object: step.Object(), params: whole, would: first}
	err = s.stepOnce(ctx, by, nil, func(tx *wtx) (any, error) {
		if err := tx.writeProposal(row, by); err != nil {
			return nil, err
		}
		return &ProposedError{id}, tx.audit(by, Audited{step.Action(), step.Object(), ResultProposed, id})
	})
	if err != nil {
		return err
	}
	return &ProposedError{id}
}

// approveReport carries out a proposal in parts, or what is left of it.
func (s *Store) approveReport(ctx context.Context, id string, by By) ([]topup.Transaction, error) {
	if by.Once != nil {
		prior, err := s.PriorRequest(ctx, by.Once.Key)
		if err != nil {
			return nil, err
		}
		if prior != nil {
			return nil, &AnsweredError{*prior}
		}
	}
	if err := s.refuseEmptyReport(ctx, id); err != nil {
		return nil, err
	}
	once := by.Once
	by.Once = nil
	for parts := 0; ; parts++ {
		carried := false
		err := s.stepOnce(ctx, by, nil, func(tx *wtx) (_ any, err error) {
			carried, err = s.approvePart(tx, id, by, parts > 0)
			return nil, err
		})
		if err != nil {
			return nil, err
		}
		if !carried {
			break
		}
	}
	by.Once = once
	var made []topup.Transaction
	err := s.stepOnce(ctx, by, nil, func(tx *wtx) (any, error) {
		a, err := readApproval(tx.raw, tx.now(), id)
		if err != nil {
			return nil, err
		}
		made = make([]topup.Transaction, len(a.Decision.Transactions))
		for i, id := range a.Decision.Transactions {
			if made[i], err = tx.transaction(`t.transaction_id = ?`, id); err != nil {
				return nil, err
			}
		}
		if len(made) == 0 {
			return &a, nil
		}
		return made, nil
	})
	return made, err
}

// refuseEmptyReport refuses to approve what has nothing left to credit, while it is
// not approved.
func (s *Store) refuseEmptyReport(ctx context.Context, id string) error {
	a, err := s.Approval(ctx, id)
	if err != nil || a.Status != ApprovalProposed {
		return err
	}
	would, err := s.previewReport(ctx, &a, 1)
	if err == nil && len(would) == 0 {
		err = topup.Conflict("none of these payments can be credited any more: reject it, and compare the report again")
	}
	return err
}

// previewReport is what carrying out the parts of a proposal would post now, part
// after part until it is at least so much.
func (s *Store) previewReport(ctx context.Context, a *Approval, least int) (would []topup.Transaction, err error) {
	above, below := partsOf(a.ID)
	for len(would) < least {
		parts, err := readApprovals(s.outside(ctx), s.now(), `a.id = (`+nextPartSQL+`)`, above, below, 1)
		if err != nil || len(parts) == 0 {
			return would, err
		}
		step, err := parts[0].reportPart()
		if err != nil {
			return nil, err
		}
		more, err := s.preview(ctx, step, a.By)
		if err != nil {
			return nil, err
		}
		would, above = append(would, more...), parts[0].ID
	}
	return would, nil
}

// approvePart carries out the next part, and reports whether there was one. again
// is set when this caller has carried out a part already.
func (s *Store) approvePart(tx *wtx, id string, by By, again bool) (carried bool, err error) {
	if err := tx.lockKey("approval", id); err != nil {
		return false, err
	}
	a, err := readApproval(tx.raw, tx.now(), id)
	if err != nil {
		return false, err
	}
	if err := a.refuseApprover(by); err != nil {
		return false, err
	}
	above, below := partsOf(id)
	parts, err := readApprovals(tx.raw, tx.now(), `a.id = (`+nextPartSQL+`)`, above, below, 1)
	if err != nil {
		return false, err
	}
	approver := by
	switch approved := a.Status == ApprovalApproved; {
	case approved && len(parts) > 0:
		approver = a.Decision.By // who goes on with it decides nothing
	case approved && again:
		return false, nil
	default:
		if err := a.refuseDecided(); err != nil {
			return false, err
		}
		if len(parts) == 0 {
			return false, topup.Conflict("this proposal has no parts")
		}
		if err := tx.writeDecision(id, by, ApprovalApproved); err != nil {
			return false, err
		}
	}
	part := &parts[0]
	if err := tx.writeDecision(part.ID, approver, ApprovalApproved); err != nil {
		return false, err
	}
	step, err := part.reportPart()
	if err != nil {
		return false, err
	}
	made, err := stepRun{tx, s, nil, a.By}.do(step)
	if err != nil {
		return false, err
	}
	if err := tx.noteApproved(part, step, made, approver, by); err != nil {
		return false, err
	}
	return true, nil
}

// noteApproved writes down what an approval has posted. approver is who approved
// it, by who carries it out.
func (tx *wtx) noteApproved(a *Approval, step Step, made []topup.Transaction, approver, by By) error {
	if !a.shows(step, made) {
		return topup.Conflict("this would post something else than was proposed: look at it again, reject it, and propose the step anew")
	}
	for i := range made {
		err := tx.gorm().Exec(`INSERT INTO approved_transactions (seq, approval_id, approved_by) VALUES (?, ?, ?)`, made[i].Seq, a.ID, approver.Actor).Error
		if err != nil {
			return fmt.Errorf("write the approval down: %w", err)
		}
		made[i].ApprovedBy = approver.Actor
	}
	detail := transactionIDs(made)
	if report, ok := step.(ApplyReportStep); ok && len(*report.leftOut) > 0 {
		detail = strings.TrimSpace(fmt.Sprintf("left out: %v; made: %s", errors.Join(*report.leftOut...), detail))
	}
	return tx.audit(by, Audited{ActionApprove, a.ID, ResultDone, detail})
}

// readParts says how far a proposal in parts is carried out.
func (a *Approval) readParts(ask query) error {
	var whole reportSummary
	if err := json.Unmarshal(a.Params, &whole); err != nil {
		return fmt.Errorf("the parameters of %s: %w", a.ID, err)
	}
	a.Parts, a.Payments = whole.Parts, whole.Payments
	if a.Decision == nil || !a.Decision.Approved {
		return nil
	}
	above, below := partsOf(a.ID)
	err := ask(`SELECT count(*) FROM approvals p LEFT JOIN approval_decisions q ON q.approval_id = p.id WHERE p.id > ? AND p.id < ? AND q.approval_id IS NULL`,
		above, below).Row().Scan(&a.Decision.PartsLeft)
	if err != nil {
		return fmt.Errorf("read the parts of %s: %w", a.ID, err)
	}
	return nil
}

// reportPart is the step of a part.
func (a *Approval) reportPart() (ApplyReportStep, error) {
	var step ApplyReportStep
	if err := json.Unmarshal(a.Params, &step); err != nil {
		return step, fmt.Errorf("the parameters of %s: %w", a.ID, err)
	}
	return step.asFarAsPossible(), nil
}
