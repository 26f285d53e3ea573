package view

import (
	"encoding/json"

	"tolem/store"
)

// Approval is an operator's step that needs a second person.
type Approval struct {
	ApprovalID string                       `json:"approval_id"`
	Status     store.ApprovalStatus         `json:"status"` // proposed, approved, rejected or expired
	Action     string                       `json:"action"` // the word in four_eyes
	Object     string                       `json:"object"`
	Step       string                       `json:"step"`
	Params     json.RawMessage              `json:"params"`
	Preview    []store.PreviewedTransaction `json:"preview"` // what it would have posted when it was proposed
	// EffectiveAt is the day on which it counts, absent for that of the approval.
	EffectiveAt string            `json:"effective_at,omitempty"`
	Actor       string            `json:"actor"` // who proposed it
	OSUser      string            `json:"os_user,omitempty"`
	Role        string            `json:"role,omitempty"`
	Reason      string            `json:"reason"`
	CreatedAt   string            `json:"created_at"`
	ExpiresAt   string            `json:"expires_at"`
	Decision    *ApprovalDecision `json:"decision,omitempty"`
}

// ApprovalDecision is who approved or rejected a proposal.
type ApprovalDecision struct {
	At             string   `json:"at"`
	Actor          string   `json:"actor"`
	Role           string   `json:"role,omitempty"`
	Reason         string   `json:"reason,omitempty"`
	TransactionIDs []string `json:"transaction_ids,omitempty"` // the first 250
	// PartsLeft are the parts of a report that are still to be carried out, by
	// approving it again.
	PartsLeft int `json:"parts_left,omitempty"`
}

// ApprovalOf shows a proposal.
func ApprovalOf(a *store.Approval) Approval {
	out := Approval{
		ApprovalID: a.ID, Status: a.Status, Action: string(a.Action), Object: a.Object, Step: a.Step, Params: a.Params, Preview: a.Preview,
		EffectiveAt: Time(a.By.Effective.Start), Actor: a.By.Actor, OSUser: a.By.OSUser, Role: a.By.Role, Reason: a.By.Reason,
		CreatedAt: Time(a.At), ExpiresAt: Time(a.ExpiresAt),
	}
	if d := a.Decision; d != nil {
		out.Decision = &ApprovalDecision{Time(d.At), d.By.Actor, d.By.Role, d.By.Reason, d.Transactions, d.PartsLeft}
	}
	return out
}

// Proposed says that a step waits for a second person.
type Proposed struct {
	ApprovalID string               `json:"approval_id"`
	Status     store.ApprovalStatus `json:"status"`
}

// ProposedOf shows that a step was proposed.
func ProposedOf(e *store.ProposedError) Proposed {
	return Proposed{e.ApprovalID, store.ApprovalProposed}
}

// AuditEntry is an entry of the audit.
type AuditEntry struct {
	At        string `json:"at"`
	Actor     string `json:"actor"`               // proven: the name of a token, or the system's user
	ActingAs  string `json:"acting_as,omitempty"` // what a command was told with --actor
	Role      string `json:"role"`
	Action    string `json:"action"`
	Object    string `json:"object"`
	Reason    string `json:"reason"`
	Result    string `json:"result"` // done, proposed or refused
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// AuditEntryOf shows an entry.
func AuditEntryOf(e store.AuditEntry) AuditEntry {
	return AuditEntry{Time(e.At), e.Actor, e.ActingAs, e.Role, e.Action, e.Object, e.Reason, e.Result, e.Detail, e.RequestID}
}
