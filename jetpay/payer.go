package jetpay

import "encoding/json"

// PayerTexts returns what a payer may have entered to say whose account is meant,
// as far as a stored callback has it: proposals for a person, never believed.
func PayerTexts(body []byte) []string {
	var c struct {
		Account  struct{ Number any }
		Customer struct{ ID any }
	}
	if json.Unmarshal(body, &c) != nil {
		return nil
	}
	var texts []string
	for _, value := range []any{c.Account.Number, c.Customer.ID} {
		if text, is := value.(string); is && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}
