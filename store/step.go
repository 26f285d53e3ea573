package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tolem/topup"
)

// Action is the word for an operator's step, in four_eyes and in the audit.
type Action string

// The actions that four_eyes may name.
const (
	ActionCredit  Action = "credit"
	ActionRecord  Action = "record"
	ActionRefund  Action = "refund"
	ActionRecall  Action = "recall"
	ActionAssign  Action = "assign"
	ActionReturn  Action = "return"
	ActionReverse Action = "reverse"
	ActionSuspend Action = "suspend"
	ActionPayout  Action = "payout"
)

// Actions that move no money, so that four_eyes does not name them.
const (
	ActionClose   Action = "close"
	ActionDismiss Action = "dismiss"

	ActionPayoutAdd     Action = "payout_add"
	ActionPayoutDiscard Action = "payout_discard"
)

// Step is an operator's step as data: what is to be done, without who, why and
// as of when, which [By] has. Its JSON is what a proposal keeps. Every step goes
// through [Store.Do].
type Step interface {
	// Action is the word under which four_eyes and the audit know the step.
	Action() Action
	// Object is the id of what the step is about, or that of the provider; never a
	// customer's: it goes into the audit.
	Object() string
	// kind is the step's name among stepKinds.
	kind() string
	// describe names the step in an error, such as "credit payment p_1".
	describe() string
	// run decides the step on what it reads in the write, and carries it out. It
	// may run several times, and refuses before it writes where it can.
	run(r stepRun) ([]posted, error)
}

// stepRun is the write that a step runs in.
type stepRun struct {
	*wtx
	store *Store
	about *topup.Event // what the step's prepare returned
	by    By
}

// preparedStep is a step that reads something before its write. The event, if
// not nil, is a message whose state the write reads ahead.
type preparedStep interface {
	prepare(ctx context.Context, s *Store) (*topup.Event, error)
}

// changingStep is a step that makes no ledger transaction. changed reads what it
// has changed instead, for [Once.Answer].
type changingStep interface {
	changed(r stepRun) (any, error)
}

// stepKinds are all steps that can be proposed, by the name under which a
// proposal keeps them. A name stays for ever.
var stepKinds = map[string]func(params []byte) (Step, error){
	"credit":       decodeStep[CreditStep],
	"record":       decodeStep[RecordStep],
	"refund":       decodeStep[RefundStep],
	"recall":       decodeStep[RecallStep],
	"assign":       decodeStep[AssignStep],
	"assign_list":  decodeStep[AssignListStep],
	"return":       decodeStep[ReturnStep],
	"reverse":      decodeStep[ReverseStep],
	"suspend":      decodeStep[SuspendStep],
	"payout":       decodeStep[PostPayoutStep],
	"apply_report": decodeStep[ApplyReportStep],
}

func decodeStep[S Step](params []byte) (Step, error) {
	var step S
	err := json.Unmarshal(params, &step)
	return step, err
}

// Do carries out an operator's step as one write and returns the ledger
// transactions that it made, none for a step that moves no money. The audit has
// it, in the same write; and a refusal of KindConflict or KindForbidden.
//
// When the step's action is under four_eyes, it is proposed instead, and the
// error is a [*ProposedError]: nothing was posted. A step that would be refused
// is not proposed.
func (s *Store) Do(ctx context.Context, step Step, by By) ([]topup.Transaction, error) {
	if err := by.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", step.describe(), err)
	}
	made, err := s.carryOutStep(ctx, step, by)
	if errors.Is(err, errNeedsApproval) {
		err = s.propose(ctx, step, by)
	}
	if err == nil {
		return made, nil
	}
	err = s.auditRefusal(ctx, by, step.Action(), step.Object(), err)
	if proposed := (*ProposedError)(nil); errors.As(err, &proposed) {
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w", step.describe(), err)
}

// doOne is Do for a step of one transaction.
func (s *Store) doOne(ctx context.Context, step Step, by By) (topup.Transaction, error) {
	made, err := s.Do(ctx, step, by)
	if err != nil {
		return topup.Transaction{}, err
	}
	return made[0], nil
}

// errNeedsApproval says that the step is under four_eyes. Nothing was written.
var errNeedsApproval = topup.Conflict("this step needs a second person")

// carryOutStep runs the step in a write, unless it is under four_eyes.
func (s *Store) carryOutStep(ctx context.Context, step Step, by By) (made []topup.Transaction, err error) {
	about, err := s.prepareStep(ctx, step)
	if err != nil {
		return nil, err
	}
	var posted []topup.Transaction
	err = s.stepOnce(ctx, by, about, func(tx *wtx) (any, error) {
		under, err := tx.underFourEyes(step.Action())
		if err != nil {
			return nil, err
		}
		if under {
			return nil, errNeedsApproval
		}
		r := stepRun{tx, s, about, by}
		if posted, err = r.do(step); err != nil {
			return nil, err
		}
		if c, ok := step.(changingStep); ok {
			return c.changed(r)
		}
		return posted, nil
	})
	if err != nil {
		return nil, err
	}
	return posted, nil
}

func (s *Store) prepareStep(ctx context.Context, step Step) (*topup.Event, error) {
	if p, ok := step.(preparedStep); ok {
		return p.prepare(ctx, s)
	}
	return nil, nil
}

// do runs the step with its entry in the audit.
func (r stepRun) do(step Step) ([]topup.Transaction, error) {
	list, err := step.run(r)
	if err != nil {
		return nil, err
	}
	made, err := r.readPosted(list)
	if err != nil {
		return nil, err
	}
	return made, r.audit(r.by, Audited{step.Action(), step.Object(), ResultDone, transactionIDs(made)})
}

func (tx *wtx) readPosted(list []posted) ([]topup.Transaction, error) {
	made := make([]topup.Transaction, len(list))
	for i, p := range list {
		var err error
		if made[i], err = tx.transaction(`t.seq = ?`, p.seq); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// errPreviewed rolls a preview back.
var errPreviewed = topup.Conflict("this was a preview")

// Preview returns the ledger transactions that a step would post now, or its
// refusal. It runs the step and rolls it back: nothing is written, and the ids
// are not those that will be; the payment's id is empty when the step would open
// a payment. The reason may be empty.
func (s *Store) Preview(ctx context.Context, step Step, by By) ([]topup.Transaction, error) {
	shown, err := s.preview(ctx, step, by)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step.describe(), err)
	}
	return shown, nil
}

func (s *Store) preview(ctx context.Context, step Step, by By) (shown []topup.Transaction, err error) {
	about, err := s.prepareStep(ctx, step)
	if err != nil {
		return nil, err
	}
	if by.Reason == "" {
		by.Reason = "preview"
	}
	var would []topup.Transaction
	err = s.writer.wait(ctx, &write{event: about, fn: func(tx *wtx) error {
		return tx.Undone(func() error {
			list, err := step.run(stepRun{tx, s, about, by})
			if err != nil {
				return err
			}
			if would, err = tx.readPosted(list); err != nil {
				return err
			}
			return errPreviewed
		})
	}})
	if !errors.Is(err, errPreviewed) {
		return nil, err
	}
	for i := range would {
		t := &would[i]
		t.ID, t.Seq, t.Reason = "", 0, ""
		if t.PaymentID == "" {
			continue
		}
		if _, err := s.Payment(ctx, t.PaymentID); kindOfRefusal(err) == topup.KindNotFound {
			t.PaymentID = ""
		} else if err != nil {
			return nil, err
		}
	}
	return would, nil
}
