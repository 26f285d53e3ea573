package dashboard

import "slices"

// Audited are the actions that the audit may have.
var Audited = []string{"credit", "record", "refund", "recall", "assign", "return", "reverse", "suspend", "payout", "payout_add", "payout_discard", "close", "dismiss", "approve", "reject", "configure", "import", "bank_import", "resend_events", "skip_event"}

// Sections are the entries of the menu.
var Sections = []string{"overview", "payments", "suspense", "messages", "payouts", "settlement", "reconcile", "events", "approvals", "audit"}

// Errors are the pages of errors.
var Errors = []string{"no_page", "session", "csrf", "role", "too_large", "not_found", "invalid", "conflict", "unavailable"}

// StepTexts are the texts that each step has.
func StepTexts() map[string][]string {
	texts := map[string][]string{}
	for name, rule := range stepRules {
		texts[name] = []string{"title", "about", "do", "done"}
		if len(rule.inputs) > 0 {
			texts[name] = append(texts[name], "help")
		}
		if slices.Contains(paymentSteps, name) || slices.Contains(stepsOf["messages"], name) || slices.Contains(stepsOf["payouts"], name) {
			texts[name] = append(texts[name], "short")
		}
	}
	return texts
}

// RefusalParts are the parts by which translated refusals are known.
func RefusalParts() []string {
	var parts []string
	for _, r := range refusals {
		parts = append(parts, r.part)
	}
	return parts
}

// RefusalTexts are the keys of translated refusals.
func RefusalTexts() []string {
	var keys []string
	for _, r := range refusals {
		keys = append(keys, r.Text)
	}
	return keys
}

// KeptFor is how long a result is shown that took so long.
var KeptFor = keptFor

// Masked shows a raw message.
func Masked(body []byte) (string, bool) { return masked(body) }

// PlainAmount is an amount as it is parsed.
func PlainAmount(text string) string { return plainAmount(text) }
